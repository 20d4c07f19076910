import { expect, it } from 'vitest';
import { planChoice } from './plan-choice.js';
import type { NativeProbe } from './probe-native.js';

const probe = (id: NativeProbe['id'], state: NativeProbe['state']): NativeProbe => ({
  id,
  state,
  reason: state === 'ready' ? `${id} package` : `${id} is ${state}`,
  remedy: state === 'ready' ? '' : `Mend ${id}.`,
});

const absent = { state: 'absent', reason: 'webgpu is not installed', remedy: 'Run `npm i webgpu`.' } as const;
const ready = { state: 'ready', reason: 'webgpu 0.6.2', remedy: '' } as const;

/** GPU package, CPU package, GPU present -> ids to try, and what is said about those passed over. */
it.each([
  ['ready', 'ready', true, ['tensorflow-gpu', 'tensorflow', 'wasm'], []],
  ['ready', 'ready', false, ['tensorflow', 'wasm'], ['tensorflow-gpu: no NVIDIA driver was found']],
  ['ready', 'absent', false, ['tensorflow-gpu', 'wasm'], ['tensorflow: tensorflow is absent (Mend tensorflow)']],
  ['absent', 'ready', false, ['tensorflow', 'wasm'], ['tensorflow-gpu: no NVIDIA driver was found']],
  ['absent', 'ready', true, ['tensorflow', 'wasm'], ['tensorflow-gpu: tensorflow-gpu is absent (Mend tensorflow-gpu)']],
  [
    'unprovisioned',
    'unsupported',
    true,
    ['wasm'],
    [
      'tensorflow-gpu: tensorflow-gpu is unprovisioned (Mend tensorflow-gpu)',
      'tensorflow: tensorflow is unsupported (Mend tensorflow)',
      'webgpu: webgpu is not installed (Run `npm i webgpu`)',
    ],
  ],
] as const)('with %s GPU package, %s CPU package, driver %s tries %j', (gpu, cpu, driver, ids, passedOver) => {
  const plan = planChoice({ native: [probe('tensorflow-gpu', gpu), probe('tensorflow', cpu)], webgpu: absent }, driver);
  expect(plan.candidates.map(({ id }) => id)).toEqual(ids);
  expect(plan.passedOver).toEqual(passedOver);
});

it('says that the CUDA build computes on the CPU', () => {
  const { candidates } = planChoice(
    { native: [probe('tensorflow-gpu', 'ready'), probe('tensorflow', 'absent')], webgpu: absent },
    false,
  );
  expect(candidates[0]!.because).toContain('on the CPU since no NVIDIA driver was found');
});

it('tries a GPU through WebGPU after libtensorflow and before wasm', () => {
  const ids = (state: NativeProbe['state']): string[] =>
    planChoice({ native: [probe('tensorflow', state)], webgpu: ready }, false).candidates.map(({ id }) => id);
  expect([ids('ready'), ids('absent')]).toEqual([
    ['tensorflow', 'webgpu', 'wasm'],
    ['webgpu', 'wasm'],
  ]);
});
