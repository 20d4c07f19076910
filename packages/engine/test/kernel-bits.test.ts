import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nativeTarget } from '../src/backends/native-targets.js';
import { runCompiler } from '../src/backends/provision/compiler.js';
import { flagsOf } from '../src/backends/provision/kernels.js';
import { runCommand } from '../src/backends/provision/run-command.js';

const { env } = process;
const source = (path: string): string => new URL(`../${path}`, import.meta.url).pathname;

const target = nativeTarget();
const compiler = target?.id === 'linux-x64' ? target.compiler! : undefined;
const isCompiled = compiler !== undefined && 'result' in (await runCompiler(compiler, ['--version'], { env }));
if (!isCompiled) console.log('skipped: fused kernels are compiled on Linux x64, where there is a compiler');

describe.skipIf(!isCompiled)('the fused kernels', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'kernel-bits-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function compile(parameters: readonly string[]): Promise<void> {
    expect(await runCompiler(compiler!, parameters, { env })).toMatchObject({ result: { end: 0 } });
  }

  /** What each function gives when a level is compiled with further flags, a line a function. */
  async function digests(level: string, flags: readonly string[]): Promise<string> {
    const object = join(directory, `${level}${flags.join('')}.o`);
    const program = object.replace(/\.o$/, '');
    await compile([...flagsOf(level), ...flags, '-c', source('kernels/level.cc'), '-o', object]);
    const rest = ['kernels/functions.cc', 'kernels/threads.cc', 'test/kernel-bits.cc'].map(source);
    await compile(['-std=c++17', '-O1', object, ...rest, '-pthread', '-o', program]);
    const { end, stdout } = await runCommand(program, [], { env });
    expect(end).toBe(0);
    return stdout;
  }

  it('give the same bits however the compiler optimises them', async () => {
    const [fast, slow] = await Promise.all([digests('avx2', []), digests('avx2', ['-O1'])]);
    expect(fast.split('\n').length).toBeGreaterThan(20);
    expect(fast).toBe(slow);
  }, 120_000);
});
