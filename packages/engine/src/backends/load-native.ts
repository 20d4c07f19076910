import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { isGpuPresent } from './gpu-present.js';
import type { NativePackage } from './native-package.js';
import { quietly } from './quietly.js';

/** The part of a native backend object that tells what it can do. */
export interface NativeBackendObject {
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string; readonly loadSavedModel?: unknown };
}

/** What TensorFlow reads from the environment when it is loaded, where the user has not set it. 2 hides its notes and warnings. */
const GPU_SETTINGS = { TF_CPP_MIN_LOG_LEVEL: '2' };
const CPU_SETTINGS = {
  // Also hides the errors about a missing GPU.
  TF_CPP_MIN_LOG_LEVEL: '3',
  // Rows that are added to one row (gradients of an embedding) are added in order: same bits in every run.
  TF_DETERMINISTIC_OPS: '1',
  // Freed memory goes back to the C library; oneDNN's own allocator would keep the largest amount ever used.
  TF_ONEDNN_USE_SYSTEM_ALLOCATOR: '1',
};

/** The native backend that this process has loaded, if any. */
export function loadedNative(): NativeBackendObject | undefined {
  return isRegistered() ? (tf.findBackend('tensorflow') as unknown as NativeBackendObject) : undefined;
}

/**
 * Loads a native package into this process and makes it TensorFlow.js' current backend.
 * Its files must have been probed before.
 * @throws Error of the loader when the library cannot be opened
 */
export async function loadNative(found: NativePackage): Promise<NativeBackendObject> {
  restoreRemovedUtil();
  const onGpu = found.id === 'tensorflow-gpu' && isGpuPresent();
  for (const [name, value] of Object.entries(onGpu ? GPU_SETTINGS : CPU_SETTINGS)) process.env[name] ??= value;
  await quietly(() => createRequire(import.meta.url)(found.directory));
  if (!isRegistered()) {
    throw new Error(`${found.directory} uses another copy of @tensorflow/tfjs than @metaapo/engine does`);
  }
  await tf.setBackend('tensorflow');
  return tf.backend() as unknown as NativeBackendObject;
}

/** Asks the registry, since looking the backend itself up would warn when it is not there. */
function isRegistered(): boolean {
  return 'tensorflow' in tf.engine().registryFactory;
}

/** tfjs-node 4.22 calls two functions that Node 22 warns of and Node 23 took out of `util`. */
function restoreRemovedUtil(): void {
  Object.assign(util, {
    isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
    isArray: Array.isArray,
  });
}
