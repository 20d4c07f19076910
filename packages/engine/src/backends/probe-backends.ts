import { type NativeProbe, probeNative } from './probe-native.js';
import { probeWebgpu, type WebgpuProbe } from './probe-webgpu.js';

/** What is known of the backends of other packages before one is loaded. */
export interface Probes {
  /** Best first. */
  readonly native: readonly NativeProbe[];
  readonly webgpu: WebgpuProbe;
}

/** Looks for the packages of the backends, from these directories. */
export function probeBackends(searchFrom: readonly string[]): Probes {
  const native = (['tensorflow-gpu', 'tensorflow'] as const).map((id) => probeNative(id, searchFrom));
  return { native, webgpu: probeWebgpu(searchFrom) };
}
