import type { BackendId } from './backend.js';
import type { Probes } from './probe-backends.js';

/** Backends to try, best first, and one clause for each that was passed over already. */
export interface ChoicePlan {
  readonly candidates: readonly { readonly id: BackendId; readonly because: string }[];
  readonly passedOver: readonly string[];
}

/**
 * Orders the backends: an NVIDIA GPU, libtensorflow on the CPU, the CUDA build on the CPU (it is far ahead of wasm), a GPU
 * through WebGPU, wasm.
 */
export function planChoice({ native, webgpu }: Probes, gpuIsPresent: boolean): ChoicePlan {
  const candidates: { id: BackendId; because: string }[] = [];
  const passedOver: string[] = [];
  const [gpu, cpu] = (['tensorflow-gpu', 'tensorflow'] as const).map((id) => native.find((probe) => probe.id === id));
  for (const probe of [gpu, cpu]) {
    if (probe === undefined) continue;
    const lacksGpu = probe.id === 'tensorflow-gpu' && !gpuIsPresent;
    if (lacksGpu && (probe.state !== 'ready' || cpu?.state === 'ready')) {
      passedOver.push('tensorflow-gpu: no NVIDIA driver was found');
    } else if (probe.state !== 'ready') passedOver.push(clause(probe));
    else if (!lacksGpu) candidates.push({ id: probe.id, because: probe.reason });
    else candidates.push({ id: probe.id, because: `${probe.reason}, on the CPU since no NVIDIA driver was found` });
  }
  if (webgpu.state === 'ready') candidates.push({ id: 'webgpu', because: webgpu.reason });
  else if (candidates.length === 0) passedOver.push(clause({ id: 'webgpu', ...webgpu }));
  candidates.push({ id: 'wasm', because: 'embedded' });
  return { candidates, passedOver };
}

interface Fault {
  readonly id: BackendId;
  readonly reason: string;
  readonly remedy: string;
}

function clause({ id, reason, remedy }: Fault): string {
  return `${id}: ${reason} (${remedy.replace(/\.$/, '')})`;
}
