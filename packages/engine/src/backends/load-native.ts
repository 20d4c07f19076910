import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { loadKernels } from './fused-kernels.js';
import { GPU_ENVIRONMENT } from './gpu-environment.js';
import { isGpuPresent } from './gpu-present.js';
import type { NativePackage } from './native-package.js';
import { withoutNotes } from './quiet-loading.js';
import { quietly } from './quietly.js';
import { xlaEnvironment } from './xla-environment.js';

/** The part of a native backend object that tells what it can do. */
export interface NativeBackendObject {
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string; readonly loadSavedModel?: unknown };
}

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
  // TensorFlow reads it once, when it is loaded: 2 hides notes and warnings, 3 also the errors about a missing GPU.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= found.id === 'tensorflow-gpu' && !isGpuPresent() ? '3' : '2';
  if (found.id === 'tensorflow-gpu') {
    for (const [name, value] of Object.entries(GPU_ENVIRONMENT)) process.env[name] ??= value;
    if (isGpuPresent()) Object.assign(process.env, xlaEnvironment(found.directory, process.env));
  }
  const load = (): unknown => createRequire(import.meta.url)(found.directory);
  await quietly(() => withoutNotes(found.directory, load));
  if (!isRegistered()) {
    throw new Error(`${found.directory} uses another copy of @tensorflow/tfjs than @metaapo/engine does`);
  }
  await tf.setBackend('tensorflow');
  loadKernels(found.directory);
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
