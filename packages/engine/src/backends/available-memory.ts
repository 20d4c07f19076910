import { totalmem } from 'node:os';
import { type BackendId, isBackendId } from './backend.js';
import { listGpus } from './gpu-information.js';
import { isGpuPresent } from './gpu-present.js';
import { defaultSearchPath } from './native-package.js';
import { planChoice } from './plan-choice.js';
import { probeBackends } from './probe-backends.js';

/** Memory of this machine in bytes. `limit` is the container's, where there is one. */
export function machineMemory(): { readonly total: number; readonly limit?: number } {
  const total = totalmem();
  const limit = process.constrainedMemory();
  // Without a limit the system gives 0, or a number beyond all memory.
  return { total, ...(limit > 0 && limit < total && { limit }) };
}

/**
 * Bytes that a backend could use if nothing else ran: of the largest GPU, or of this machine within the container's limit.
 * No backend is loaded. WebGPU does not say how much memory a GPU has: this machine's is then the most there can be.
 * @param asked default the one that would be chosen
 * @returns nothing for a GPU that cannot be asked
 */
export async function availableMemory(asked?: BackendId, env = process.env): Promise<number | undefined> {
  const id = asked ?? expectedBackend(env);
  if (id !== 'tensorflow-gpu') {
    const { total, limit } = machineMemory();
    return limit ?? total;
  }
  const sizes = (await listGpus(env)).map(({ memoryMiB }) => memoryMiB * 2 ** 20);
  return sizes.length === 0 ? undefined : Math.max(...sizes);
}

function expectedBackend({ METAAPO_BACKEND: named }: NodeJS.ProcessEnv): BackendId | undefined {
  if (named !== undefined && isBackendId(named)) return named;
  return planChoice(probeBackends(defaultSearchPath()), isGpuPresent()).candidates[0]?.id;
}
