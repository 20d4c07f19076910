import type * as tfjs from '@tensorflow/tfjs';

/** Every backend that can be asked for. `cpu` (plain JavaScript) is never chosen by itself. */
export const BACKEND_IDS = ['tensorflow-gpu', 'tensorflow', 'webgpu', 'wasm', 'cpu'] as const;

/** Name of a backend. */
export type BackendId = (typeof BACKEND_IDS)[number];

/** A backend that runs libtensorflow through one of TensorFlow.js' native packages. */
export type NativeBackendId = 'tensorflow' | 'tensorflow-gpu';

/** The backend that was chosen and is now TensorFlow.js' current one. */
export interface Backend {
  readonly id: BackendId;
  /** One printable line: what was chosen, and why the better ones were passed over. */
  readonly reason: string;
  /** The process' TensorFlow.js; its current backend is this one. */
  readonly tf: typeof tfjs;
  /** True when compiled programs can run here, in a TensorFlow session. */
  readonly hasSessions: boolean;
  /** True when the products run on a GPU, through CUDA or WebGPU. */
  readonly usesGpu: boolean;
  /** Directory of the native package; absent for the others. */
  readonly packageDirectory?: string;
}

/** True for the name of a backend. */
export function isBackendId(name: string): name is BackendId {
  return (BACKEND_IDS as readonly string[]).includes(name);
}

/** True for a backend that runs libtensorflow. */
export function isNative(id: BackendId): id is NativeBackendId {
  return id === 'tensorflow' || id === 'tensorflow-gpu';
}
