import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type FakeMachine, fakeMachine, write } from '../../test/fake-machine.js';
import { readCpu } from './cpu-information.js';
import { listGpus } from './gpu-information.js';
import { inspectSystem } from './inspect-system.js';
import { measureInChild } from './measure-in-child.js';
import { nextSteps, type Seen } from './next-steps.js';
import { probeNative } from './probe-native.js';

let machine: FakeMachine;
beforeEach(() => {
  machine = fakeMachine();
});
afterEach(() => {
  vi.restoreAllMocks();
  machine.remove();
});

const inspect = (env: NodeJS.ProcessEnv = {}): ReturnType<typeof inspectSystem> =>
  inspectSystem({ budgetMs: 0, env: { ...machine.env, ...env }, searchFrom: [machine.project] });
const provision = (binding: string): void => {
  write(join(machine.packageDirectory, 'deps', 'lib', 'libtensorflow_cc.so.2'), '\x7fELF tensorflow 2.21.0');
  write(join(machine.packageDirectory, 'deps', 'lib', 'libtensorflow_framework.so.2'), '\x7fELF');
  write(join(machine.packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node'), binding);
};

it('reports an unprovisioned package, the embedded backend and the way to a faster one', async () => {
  const { node, memory, backends, chosen, nextSteps: steps, tfjs } = await inspect();
  expect(node).toEqual({ version: process.version, isSupported: true });
  expect(memory.free).toBeLessThanOrEqual(memory.total);
  expect(tfjs).toMatch(/^4\./);
  expect(backends.map(({ id, state }) => [id, state])).toEqual([
    ['tensorflow-gpu', 'absent'],
    ['tensorflow', 'unprovisioned'],
    ['webgpu', 'absent'],
    ['wasm', 'ready'],
  ]);
  expect(chosen).toBe('wasm');
  expect(steps.join('\n')).toMatch(/has no binding.*Run `metaapo backend install`\./);
});

it.each<[NodeJS.Platform, NodeJS.Architecture, cpu: RegExp, gpu: RegExp]>([
  ['darwin', 'arm64', /npm i @tensorflow\/tfjs-node@.*backend install/, /CUDA is published for Linux x64 only/],
  ['linux', 'arm64', /npm i @tensorflow\/tfjs-node@.*backend install/, /CUDA is published for Linux x64 only/],
  ['win32', 'x64', /npm i @tensorflow\/tfjs-node@.*--binding/, /CUDA is published for Linux x64 only/],
  ['darwin', 'x64', /not published for this system \(darwin x64\)\. Use the webgpu backend, or wasm/, /not published/],
  ['win32', 'arm64', /not published for this system \(win32 arm64\)\. Use the webgpu/, /not published/],
])('says what is possible on %s %s', async (system, architecture, cpu, gpu) => {
  vi.spyOn(process, 'platform', 'get').mockReturnValue(system);
  vi.spyOn(process, 'arch', 'get').mockReturnValue(architecture);
  const header = { osRelease: '23.6.0', ...(system === 'linux' && { glibcVersionRuntime: '2.36' }) };
  vi.spyOn(process.report!, 'getReport').mockReturnValue({ header });
  rmSync(machine.packageDirectory, { recursive: true });
  const probes = (['tensorflow', 'tensorflow-gpu'] as const).map((id) => probeNative(id, [machine.project]));
  const [first, second] = probes.map(({ reason, remedy }) => `${reason}. ${remedy}`);
  expect(first).toMatch(cpu);
  expect(second).toMatch(gpu);
  const backends = probes.map(({ id, state, reason, remedy }) => ({ id, state, reason, remedy }));
  expect(nextSteps({ ...seen, chosen: 'wasm', backends }, false, undefined)[0]).toMatch(cpu);
});

it('reports versions of a backend that works', async () => {
  provision('\x7fELF good');
  const { backends, chosen } = await inspect();
  expect(backends[1]).toMatchObject({ state: 'ready', measured: { libtensorflow: '2.21.0', hasSessions: true } });
  expect(chosen).toBe('tensorflow');
});

it('reports a backend that is broken', async () => {
  provision('\x7fELF bad');
  const { backends, chosen, nextSteps: steps } = await inspect();
  expect(backends[1]).toMatchObject({
    state: 'broken',
    reason: expect.stringContaining('the binding cannot be opened'),
  });
  expect(chosen).toBe('wasm');
  expect(steps.join('\n')).toContain('--force');
});

it('chooses nothing when METAAPO_BACKEND names what is not there', async () => {
  const { chosen, nextSteps: steps } = await inspect({ METAAPO_BACKEND: 'tensorflow' });
  expect(chosen).toBeUndefined();
  expect(steps[0]).toContain('METAAPO_BACKEND is "tensorflow"');
});

it('measures products in a fresh process', async () => {
  const measured = await measureInChild('wasm', { budgetMs: 20 });
  expect(measured.matmulGflops.float32).toBeGreaterThan(0);
  expect(measured.matmulGflops.bfloat16).toBeUndefined();
});

it('outlives a backend that ends its process', async () => {
  provision('\x7fELF good');
  rmSync(join(machine.packageDirectory, 'dist', 'index.js'));
  write(join(machine.packageDirectory, 'dist', 'index.js'), 'process.abort()');
  await expect(measureInChild({ packageDirectory: machine.packageDirectory }, { budgetMs: 0 })).rejects.toMatchObject({
    code: 'backend',
  });
});

it('reads the instruction sets', () => {
  const cpuinfo = 'processor : 0\nflags\t\t: fpu avx avx2 fma avx512f amx_bf16\n';
  expect(readCpu(cpuinfo).features).toEqual({
    ...{ avx: true, avx2: true, fma: true, avx512f: true, avx512bf16: false, amxBf16: true },
  });
  expect(readCpu('Features : asimd').features).toBeUndefined();
});

it('lists GPUs through nvidia-smi, and none without it', async () => {
  expect(await listGpus(machine.env)).toEqual([]);
  machine.program('nvidia-smi', 'echo "NVIDIA H100 80GB HBM3, 550.54.15, 81559, 9.0"');
  expect(await listGpus(machine.env)).toEqual([
    { name: 'NVIDIA H100 80GB HBM3', driver: '550.54.15', memoryMiB: 81559, computeCapability: '9.0' },
  ]);
  machine.program('nvidia-smi', 'echo "NVIDIA-SMI has failed"; exit 9');
  expect(await listGpus(machine.env)).toEqual([]);
});

const ready = { state: 'ready', reason: '', remedy: '' } as const;
const measured = { versions: {}, hasSessions: true, matmulGflops: { float32: 100, bfloat16: 200 } };
const seen: Seen = {
  node: { version: 'v20.19.0', isSupported: true },
  cpu: readCpu(''),
  gpus: [],
  chosen: 'tensorflow',
  backends: [{ id: 'tensorflow', ...ready, measured: { ...measured, usesGpu: false, matmulGflops: { float32: 100 } } }],
};

it.each<[string, Partial<Seen>, boolean, RegExp]>([
  ['nothing to do', {}, false, /^Nothing is to be done\.$/],
  ['an old Node', { node: { version: 'v18.0.0', isSupported: false } }, false, /Node v18\.0\.0 is too old/],
  [
    'fast bfloat16',
    { backends: [{ id: 'tensorflow', ...ready, measured: { ...measured, usesGpu: false } }] },
    false,
    /precision: bfloat16/,
  ],
  [
    'a GPU without its package',
    { backends: [{ id: 'tensorflow-gpu', state: 'absent', reason: 'it is absent', remedy: 'Add it.' }] },
    true,
    /NVIDIA driver, but it is absent\. Add it\./,
  ],
  [
    'a GPU that TensorFlow cannot use',
    { backends: [{ id: 'tensorflow-gpu', ...ready, measured: { ...measured, usesGpu: false } }] },
    true,
    /computes on the CPU: see `nvidia-smi`/,
  ],
  [
    'a CUDA build without a GPU',
    { backends: [{ id: 'tensorflow-gpu', ...ready, measured: { ...measured, usesGpu: false } }] },
    false,
    /No NVIDIA driver was found, so tensorflow-gpu computes on the CPU/,
  ],
  [
    'a GPU that WebGPU could use',
    {
      chosen: 'wasm',
      backends: [{ id: 'webgpu', state: 'absent', reason: 'webgpu is not installed', remedy: 'Add it.' }],
    },
    false,
    /through WebGPU, but webgpu is not installed\. Add it\./,
  ],
])('advises on %s', (_, change, isGpuHere, advice) => {
  expect(nextSteps({ ...seen, ...change }, isGpuHere, undefined).join('\n')).toMatch(advice);
});
