import { fusedKernels } from '../backends/fused-kernels.js';
import { webgpuFamily } from '../backends/load-webgpu.js';
import { currentBackend } from '../backends/select-backend.js';
import type { Executor } from './session.js';

/** Version of the shaders' last bits. */
const SHADERS_VERSION = 3;

/** What decides last bits of an executor on the current backend, such as `tensorflow float32 kernels 5 amx`. */
export function computedBy(executor: Executor, precision: string): string {
  const kernels = executor === 'compiled' ? fusedKernels() : undefined;
  const words = [currentBackend(), precision];
  if (kernels !== undefined) words.push(`kernels ${kernels.version} ${kernels.level}`);
  if (currentBackend() === 'webgpu') words.push(`shaders ${SHADERS_VERSION} ${webgpuFamily()}`);
  return words.join(' ');
}
