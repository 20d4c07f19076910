import { isNative } from './backend.js';
import type { BackendInspection, SystemInspection } from './inspect-system.js';

/** What was seen, as far as it leads to advice. */
export type Seen = Pick<SystemInspection, 'node' | 'cpu' | 'gpus' | 'backends' | 'chosen'>;

/**
 * Advice from what was seen: plain sentences, most useful first.
 * @param asked what METAAPO_BACKEND says
 */
export function nextSteps(seen: Seen, isGpuHere: boolean, asked: string | undefined): string[] {
  const [gpu, cpu] = (['tensorflow-gpu', 'tensorflow'] as const).map((id) =>
    seen.backends.find((one) => one.id === id),
  );
  const steps: string[] = [];
  if (!seen.node.isSupported) steps.push(`Node ${seen.node.version} is too old: install Node 20.19 or later.`);
  if (seen.chosen === undefined) {
    steps.push(
      `METAAPO_BACKEND is ${JSON.stringify(asked)}, which cannot be used here: unset it, or mend that backend.`,
    );
  }
  if (isGpuHere) steps.push(...gpuSteps(gpu));
  else if (gpu?.state === 'ready') steps.push('No NVIDIA driver was found, so tensorflow-gpu computes on the CPU.');
  const hasNative = seen.backends.some(({ id, state }) => isNative(id) && state === 'ready');
  if (cpu !== undefined && cpu.state !== 'ready' && (!hasNative || cpu.state === 'broken')) {
    steps.push(`The tensorflow backend is about ten times as fast as wasm, but ${cpu.reason}. ${cpu.remedy}`.trim());
  }
  const webgpu = seen.backends.find(({ id }) => id === 'webgpu');
  if (seen.chosen === 'wasm' && webgpu !== undefined && webgpu.state !== 'ready') {
    steps.push(`A GPU can be used through WebGPU, but ${webgpu.reason}. ${webgpu.remedy}`);
  }
  const { float32 = 0, bfloat16 = 0 } =
    seen.backends.find((one) => one.id === seen.chosen)?.measured?.matmulGflops ?? {};
  if (bfloat16 > 1.2 * float32)
    steps.push('bfloat16 products are faster than float32 here: set `precision: bfloat16`.');
  if (steps.length === 0) steps.push('Nothing is to be done.');
  return steps;
}

function gpuSteps(gpu: BackendInspection | undefined): string[] {
  if (gpu === undefined) return [];
  if (gpu.state !== 'ready') return [`There is an NVIDIA driver, but ${gpu.reason}. ${gpu.remedy}`];
  if (gpu.measured?.usesGpu) return [];
  return [
    'There is an NVIDIA driver, but TensorFlow found no usable GPU, so tensorflow-gpu computes on the CPU: see `nvidia-smi`.',
  ];
}
