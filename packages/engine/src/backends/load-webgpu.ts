import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { checkedBackend, type GpuDevice } from './checked-webgpu.js';
import type { WebgpuProbe } from './probe-webgpu.js';
import { quietly } from './quietly.js';

/** The adapter that the WebGPU backend computes on. */
export interface WebgpuAdapter {
  /** Such as "apple metal-3" or "SwiftShader Device (Subzero)". */
  readonly name: string;
  /** The maker and the kind of its adapters, such as "apple metal-3". */
  readonly family: string;
  /** True for a driver that computes on the CPU. */
  readonly isSoftware: boolean;
}

/** What is taken from the adapter beyond the defaults, as far as it has it. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Features that are asked for where the adapter has them. */
const FEATURES = ['subgroups'];

/** The part of WebGPU's interface that is used here. */
interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<GpuAdapter | null>;
}

/** What a driver says of its adapter. */
export interface AdapterInformation {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

interface GpuAdapter {
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
  readonly features: ReadonlySet<string>;
  readonly info: AdapterInformation;
  requestDevice(descriptor: {
    readonly requiredLimits: Readonly<Record<string, number>>;
    readonly requiredFeatures: readonly string[];
  }): Promise<GpuDevice>;
}

let loaded: WebgpuAdapter | undefined;

/**
 * Makes WebGPU TensorFlow.js' current backend: the browser's where there is one, else Dawn's in Node.
 * @param allowsSoftware whether an adapter that computes on the CPU will do
 * @returns the adapter it computes on
 * @throws MetaapoError with code `backend` where there is no adapter, or only one that will not do
 */
export async function loadWebgpu(probe: WebgpuProbe, allowsSoftware: boolean): Promise<WebgpuAdapter> {
  if (loaded === undefined) {
    const adapter = await requestAdapter(probe);
    const description = describeAdapter(adapter.info);
    if (!allowsSoftware) refuseSoftware(description);
    await register(adapter, probe);
    loaded = description;
  }
  if (!allowsSoftware) refuseSoftware(loaded);
  if (!(await quietly(() => tf.setBackend('webgpu')))) throw new Error('TensorFlow.js could not start it');
  return loaded;
}

/** The family of the adapter that was loaded; a driver's updates leave it as it is. */
export function webgpuFamily(): string {
  return loaded?.family ?? 'none';
}

function refuseSoftware({ name, isSoftware }: WebgpuAdapter): void {
  if (isSoftware) throw new Error(`its only adapter, ${name}, computes on the CPU; METAAPO_BACKEND=webgpu takes it`);
}

/** Registers the backend with a device that has all that the adapter allows; TensorFlow.js' own would ask for less. */
async function register(adapter: GpuAdapter, { directories }: WebgpuProbe): Promise<void> {
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
  const requiredFeatures = FEATURES.filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  // A process that ends while the GPU still computes would now and then end by a signal.
  process.once('exit', () => device.destroy());
  const { WebGPUBackend } = createRequire(import.meta.url)(directories!.backend) as {
    readonly WebGPUBackend: Parameters<typeof checkedBackend>[0];
  };
  if (tf.engine().registryFactory.webgpu !== undefined) tf.removeBackend('webgpu');
  if (!tf.getKernelsForBackend('webgpu').length) {
    throw new Error(`${directories!.backend} uses another copy of @tensorflow/tfjs than @metaapo/engine does`);
  }
  tf.registerBackend('webgpu', () => checkedBackend(WebGPUBackend, device, adapter.info));
}

async function requestAdapter({ directories }: WebgpuProbe): Promise<GpuAdapter> {
  const gpu = await provideWebgpu(directories!.dawn);
  const adapter = await withRuntimeDirectory(() => gpu.requestAdapter({ powerPreference: 'high-performance' }));
  if (adapter !== null) return adapter;
  throw new MetaapoError('backend', 'There is no WebGPU adapter', {
    where: 'webgpu',
    expected: 'a GPU with a driver for Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows)',
    got: 'no adapter that Dawn can use',
    ...(process.platform === 'linux' && {
      remedy:
        'Install the Vulkan loader (libvulkan1) and the driver of the GPU; VK_DRIVER_FILES names the file of a driver that is not found by itself',
    }),
  });
}

/** What a browser has as globals; in Node they come from Dawn, once. */
async function provideWebgpu(dawnDirectory: string): Promise<Gpu> {
  const global = globalThis as { navigator?: { gpu?: Gpu } };
  if (global.navigator?.gpu !== undefined) return global.navigator.gpu;
  const url = pathToFileURL(join(dawnDirectory, 'index.js')).href;
  const { create, globals } = (await import(url)) as { create(options: string[]): Gpu; globals: object };
  Object.assign(global, globals);
  global.navigator ??= { userAgent: `Node.js/${process.versions.node.split('.')[0]}` } as object;
  const gpu = create([]);
  Object.defineProperty(global.navigator, 'gpu', { value: gpu, configurable: true });
  return gpu;
}

/** Drivers complain on standard error where no directory for sockets of windows is named; none is made. */
async function withRuntimeDirectory<Result>(action: () => Promise<Result>): Promise<Result> {
  const { XDG_RUNTIME_DIR: named } = process.env;
  process.env.XDG_RUNTIME_DIR = named ?? tmpdir();
  try {
    return await action();
  } finally {
    if (named === undefined) delete process.env.XDG_RUNTIME_DIR;
  }
}

/** A name out of what the driver says, and whether it computes on the CPU. */
export function describeAdapter(info: AdapterInformation): WebgpuAdapter {
  const joined = (words: readonly string[]): string => words.filter((word) => word !== '').join(' ');
  const family = joined([info.vendor, info.architecture]);
  const name = joined([family, info.description || info.device]);
  const isSoftware =
    info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${name} ${info.device}`);
  return { name: name === '' ? 'an adapter without a name' : name, family, isSoftware };
}
