import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeMachine, fakeMachine, write } from '../../test/fake-machine.js';
import { defaultSearchPath } from './native-package.js';
import { probeNative } from './probe-native.js';
import { selectBackend } from './select-backend.js';

const empty = mkdtempSync(join(tmpdir(), 'metaapo-empty-'));
mkdirSync(join(empty, 'node_modules'));
afterAll(() => rmSync(empty, { recursive: true }));

const nothingInstalled = { searchFrom: [empty], env: {} };
const loadedFiles = (): string[] => Object.keys(createRequire(import.meta.url).cache);

describe('without a native package', () => {
  it('chooses wasm, says why in one line, prints nothing and loads no native package', async () => {
    const printed = (['log', 'info', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name));
    const { id, reason, tf, hasSessions, usesGpu } = await selectBackend(nothingInstalled);
    expect({ id, hasSessions, usesGpu, backend: tf.getBackend() }).toEqual({
      ...{ id: 'wasm', hasSessions: false, usesGpu: false, backend: 'wasm' },
    });
    expect(reason).toMatch(
      /^wasm \(embedded\); passed over tensorflow-gpu: .*; tensorflow: @tensorflow\/tfjs-node is not installed/,
    );
    expect(reason).toContain('metaapo backend install');
    expect(reason).not.toContain('\n');
    const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync());
    expect([...product]).toEqual([11]);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
    expect(loadedFiles().filter((file) => file.includes('tfjs-node'))).toEqual([]);
    vi.restoreAllMocks();
  });

  it('uses what is asked for, the option before the environment', async () => {
    const env = { METAAPO_BACKEND: 'wasm' };
    expect(await selectBackend({ ...nothingInstalled, env })).toMatchObject({
      id: 'wasm',
      reason: 'wasm (METAAPO_BACKEND)',
    });
    const asked = await selectBackend({ ...nothingInstalled, env, prefer: 'cpu' });
    expect([asked.id, asked.reason, asked.tf.getBackend()]).toEqual(['cpu', 'cpu (asked for)', 'cpu']);
    expect(await selectBackend({ ...nothingInstalled, env: { METAAPO_BACKEND: 'cpu' }, prefer: 'auto' })).toMatchObject(
      { id: 'wasm' },
    );
  });

  it('does not fall back from what is asked for', async () => {
    const asked = selectBackend({ ...nothingInstalled, env: { METAAPO_BACKEND: 'tensorflow' } });
    await expect(asked).rejects.toMatchObject({
      code: 'backend',
      message: expect.stringMatching(
        /METAAPO_BACKEND.*is not installed.*npm i @tensorflow\/tfjs-node@4\.22\.0 --ignore-scripts/,
      ),
    });
    const gpu = selectBackend({ ...nothingInstalled, prefer: 'tensorflow-gpu' });
    await expect(gpu).rejects.toThrow(/tfjs-node-gpu is not installed.*metaapo backend install --gpu/);
  });

  it('refuses an unknown name', async () => {
    const asked = selectBackend({ ...nothingInstalled, env: { METAAPO_BACKEND: 'cuda' } });
    await expect(asked).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/METAAPO_BACKEND.*tensorflow-gpu.*"cuda"/),
    });
  });
});

describe('with a native package that cannot be used', () => {
  let machine: FakeMachine;
  beforeEach(() => {
    machine = fakeMachine();
  });
  afterEach(() => machine.remove());
  const provision = (): void => {
    for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
      write(join(machine.packageDirectory, 'deps', 'lib', name), '\x7fELF');
    }
    write(join(machine.packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node'), '\x7fELF broken');
  };

  it('passes over one without a binding, and names the command', async () => {
    const { id, reason } = await selectBackend({ searchFrom: [machine.project], env: {} });
    expect(id).toBe('wasm');
    expect(reason).toContain('tensorflow: @tensorflow/tfjs-node is installed but has no binding');
    await expect(selectBackend({ searchFrom: [machine.project], prefer: 'tensorflow' })).rejects.toThrow(
      /has no binding.*Run `metaapo backend install`\.$/,
    );
  });

  it.skipIf(process.platform !== 'linux')('sees a library that is missing behind a link, or is no library', () => {
    const state = (): string => probeNative('tensorflow', [machine.project]).reason;
    provision();
    rmSync(join(machine.packageDirectory, 'deps', 'lib', 'libtensorflow_framework.so.2'));
    expect(state()).toContain('has no libtensorflow_framework.so.2');
    write(join(machine.packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node'), 'text');
    expect(state()).toContain('is not a library');
  });

  it('survives a binding that cannot be opened', async () => {
    provision();
    const probe = probeNative('tensorflow', [machine.project]);
    if (probe.state === 'unsupported') return console.log(`skipped: ${probe.reason}`);
    const { id, reason } = await selectBackend({ searchFrom: [machine.project], env: {} });
    expect(id).toBe('wasm');
    expect(reason).toMatch(/tensorflow: it could not be loaded \(the binding cannot be opened\).*install --force/);
    await expect(selectBackend({ searchFrom: [machine.project], prefer: 'tensorflow' })).rejects.toMatchObject({
      code: 'backend',
      message: expect.stringMatching(/the binding cannot be opened.*`metaapo backend install --force` repairs it/),
    });
  });
});

const native = probeNative('tensorflow', defaultSearchPath());
if (native.state !== 'ready') console.log(`skipped: the native backend is not tested here: ${native.reason}`);

it.skipIf(native.state !== 'ready')('loads the native backend, with sessions', async () => {
  const { id, tf, hasSessions, packageDirectory } = await selectBackend({ prefer: 'tensorflow' });
  expect({ id, hasSessions, packageDirectory, backend: tf.getBackend() }).toEqual({
    ...{ id: 'tensorflow', hasSessions: true, packageDirectory: native.package!.directory, backend: 'tensorflow' },
  });
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync());
  expect([...product]).toEqual([11]);
});
