import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { xlaEnvironment } from './xla-environment.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo xla-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the environment of XLA', () => {
  it('names the compiler where it was installed, a directory to keep what is compiled, and what is set already last', () => {
    const compiler = join(directory, 'deps', 'nvidia', 'cuda_nvcc');
    const env = { METAAPO_HOME: join(directory, 'home'), XLA_FLAGS: '--xla_gpu_deterministic_ops=false' };
    const without = xlaEnvironment(directory, env);
    expect(without.XLA_FLAGS).not.toContain('cuda_data_dir');
    mkdirSync(compiler, { recursive: true });
    const { XLA_FLAGS, TF_XLA_FLAGS } = xlaEnvironment(directory, env);
    expect(XLA_FLAGS).toMatch(/^--xla_gpu_deterministic_ops=true .* --xla_gpu_deterministic_ops=false$/);
    // There is a space in it.
    expect(XLA_FLAGS).toContain(`--xla_gpu_cuda_data_dir="${compiler}"`);
    expect(TF_XLA_FLAGS).toBe(`--tf_xla_persistent_cache_directory="${join(directory, 'home', 'xla')}"`);
  });

  it('keeps nothing where nothing can be written', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    expect(xlaEnvironment(directory, { METAAPO_HOME: file }).TF_XLA_FLAGS).toBe('');
  });
});
