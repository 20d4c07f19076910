import { findPackage } from './native-package.js';

/** The npm packages of the WebGPU backend, with the versions that this project is made for. */
const PACKAGES = [
  ['@tensorflow/tfjs-backend-webgpu', '4.22.0'],
  ['webgpu', '0.6.2'],
] as const;

/** Whether the packages of the WebGPU backend are there; whether there is an adapter is known when it is loaded. */
export interface WebgpuProbe {
  readonly state: 'ready' | 'absent';
  /** A clause such as "webgpu is not installed". */
  readonly reason: string;
  /** What to do about it, a sentence; empty when ready. */
  readonly remedy: string;
  /** Real directories; absent unless ready. */
  readonly directories?: {
    /** Of TensorFlow.js' backend. */
    readonly backend: string;
    /** Of Dawn, which brings WebGPU to Node. */
    readonly dawn: string;
  };
}

/** Looks for the packages of the WebGPU backend. Never loads them. */
export function probeWebgpu(searchFrom: readonly string[]): WebgpuProbe {
  const [backend, dawn] = PACKAGES.map(([name]) => findPackage(name, searchFrom));
  if (backend !== undefined && dawn !== undefined) {
    const directories = { backend: backend.directory, dawn: dawn.directory };
    return { state: 'ready', reason: `webgpu ${dawn.version}`, remedy: '', directories };
  }
  const missing = [backend ?? PACKAGES[0][0], dawn ?? PACKAGES[1][0]].filter((one) => typeof one === 'string');
  return {
    state: 'absent',
    reason: `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not installed`,
    remedy: `Run \`npm i ${PACKAGES.map(([name, version]) => `${name}@${version}`).join(' ')}\`.`,
  };
}
