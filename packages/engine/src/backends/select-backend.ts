import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { BACKEND_IDS, type Backend, type BackendId, isBackendId, isNative, type NativeBackendId } from './backend.js';
import { isGpuPresent } from './gpu-present.js';
import { loadedNative, loadNative, type NativeBackendObject } from './load-native.js';
import { loadCpu, loadWasm } from './load-portable.js';
import { loadWebgpu, type WebgpuAdapter } from './load-webgpu.js';
import { defaultSearchPath } from './native-package.js';
import { planChoice } from './plan-choice.js';
import { type Probes, probeBackends } from './probe-backends.js';
import { installCommand, type NativeProbe, probeNative } from './probe-native.js';
import { probeWebgpu } from './probe-webgpu.js';

/** How a backend is asked for. */
export interface BackendChoice {
  /** A backend that must be used, or `auto` (default): the best one here. Goes before METAAPO_BACKEND. */
  readonly prefer?: BackendId | 'auto';
  /** Environment in which METAAPO_BACKEND is read; default: the process'. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directories from which the native packages are resolved; default: the working directory, then this package. */
  readonly searchFrom?: readonly string[];
}

/**
 * Chooses a backend, loads it and makes it TensorFlow.js' current one: `tensorflow-gpu`, `tensorflow`,
 * `webgpu` (a real GPU), `wasm`, best first.
 * A backend asked for by `prefer` or METAAPO_BACKEND is used or is an error; there is no fallback from it.
 * @throws MetaapoError with code `config` for an unknown name, `backend` when the one asked for cannot be used
 */
export async function selectBackend(choice: BackendChoice = {}): Promise<Backend> {
  const searchFrom = choice.searchFrom ?? defaultSearchPath();
  const asked = askedFor(choice);
  return asked === undefined ? selectBest(searchFrom) : selectAsked(asked.id, asked.by, searchFrom);
}

/** The id of TensorFlow.js' current backend. */
export function currentBackend(): BackendId {
  const name = tf.getBackend();
  return name === 'tensorflow' && loadedNative()!.isGPUPackage ? 'tensorflow-gpu' : (name as BackendId);
}

function askedFor({ prefer, env = process.env }: BackendChoice): { id: BackendId; by: string } | undefined {
  const [name, by] =
    prefer !== undefined && prefer !== 'auto'
      ? [prefer, 'asked for']
      : [prefer === 'auto' ? undefined : env.METAAPO_BACKEND, 'METAAPO_BACKEND'];
  if (name === undefined || name === '' || name === 'auto') return undefined;
  if (isBackendId(name)) return { id: name, by };
  throw new MetaapoError('config', 'There is no such backend', {
    where: by === 'METAAPO_BACKEND' ? by : 'backend',
    expected: `one of auto, ${BACKEND_IDS.join(', ')}`,
    got: JSON.stringify(name),
  });
}

/** What was loaded: one of the native backends, or an adapter; nothing to say of the others. */
interface Loaded {
  readonly native?: NativeBackendObject;
  readonly adapter?: WebgpuAdapter;
}

async function selectBest(searchFrom: readonly string[]): Promise<Backend> {
  const probes = probeBackends(searchFrom);
  const { candidates, passedOver } = planChoice(probes, isGpuPresent());
  const passed = [...passedOver];
  for (const { id, because } of candidates) {
    try {
      const loaded = await load(id, probes, false);
      const reason = `${id} (${describe(loaded, because)})`;
      return backendOf(id, passed.length > 0 ? `${reason}; passed over ${passed.join('; ')}` : reason, loaded, probes);
    } catch (error) {
      if (id === 'wasm') throw unusable(id, 'chosen', error, '');
      passed.push(passedOverBy(id, error));
    }
  }
  throw new MetaapoError('internal', 'No backend was tried', { where: 'backend' });
}

async function selectAsked(id: BackendId, by: string, searchFrom: readonly string[]): Promise<Backend> {
  const probes = { native: isNative(id) ? [probeNative(id, searchFrom)] : [], webgpu: probeWebgpu(searchFrom) };
  const probe = id === 'webgpu' ? probes.webgpu : probes.native[0];
  if (probe !== undefined && probe.state !== 'ready') {
    throw new MetaapoError('backend', 'This backend cannot be used here', {
      where: `${id} (${by})`,
      got: probe.reason,
      remedy: probe.remedy,
    });
  }
  try {
    const loaded = await load(id, probes, true);
    const what = probe === undefined ? '' : `; ${describe(loaded, probe.reason)}`;
    return backendOf(id, `${id} (${by}${what})`, loaded, probes);
  } catch (error) {
    if (isMetaapoError(error)) throw error;
    throw unusable(id, by, error, isNative(id) ? `${repairOf(id)}.` : '');
  }
}

async function load(id: BackendId, probes: Probes, isAsked: boolean): Promise<Loaded> {
  if (id === 'wasm') await loadWasm();
  else if (id === 'cpu') await loadCpu();
  else if (id === 'webgpu') return { adapter: await loadWebgpu(probes.webgpu, isAsked) };
  else return { native: await loadOneNative(id, probes.native) };
  return {};
}

function loadOneNative(id: NativeBackendId, probes: readonly NativeProbe[]): Promise<NativeBackendObject> {
  const loaded = loadedNative();
  if (loaded !== undefined && loaded.isGPUPackage !== (id === 'tensorflow-gpu')) {
    throw new Error('this process has loaded the other native backend already: a process can hold one of them');
  }
  return loadNative(probes.find((probe) => probe.id === id)!.package!);
}

function backendOf(id: BackendId, reason: string, { native, adapter }: Loaded, probes: Probes): Backend {
  const directory = probes.native.find((probe) => probe.id === id)?.package?.directory;
  return {
    id,
    reason: reason.replace(/\s+/g, ' '),
    tf,
    hasSessions: typeof native?.binding.loadSavedModel === 'function',
    usesGpu: native?.isUsingGpuDevice ?? adapter?.isSoftware === false,
    ...(directory !== undefined && { packageDirectory: directory }),
  };
}

function describe({ native, adapter }: Loaded, because: string): string {
  if (adapter !== undefined) return `${adapter.name}${adapter.isSoftware ? ', on the CPU' : ''}, through ${because}`;
  if (native === undefined) return because;
  const { isGPUPackage, isUsingGpuDevice, binding } = native;
  const device = isGPUPackage
    ? `, ${isUsingGpuDevice ? 'on the GPU' : 'on the CPU: TensorFlow found no usable GPU'}`
    : '';
  return `TensorFlow ${binding.TF_Version} through ${because}${because.includes('on the CPU') ? '' : device}`;
}

function passedOverBy(id: BackendId, error: unknown): string {
  const repair = isNative(id) ? `: ${repairOf(id)}` : '';
  const fault = isMetaapoError(error) ? (error.fault.got ?? error.message) : firstLine(error);
  return `${id}: it could not be loaded (${fault})${repair}`;
}

function repairOf(id: NativeBackendId): string {
  return `\`${installCommand(id)} --force\` repairs it`;
}

function unusable(id: BackendId, by: string, error: unknown, remedy: string): MetaapoError {
  return new MetaapoError('backend', 'This backend could not be loaded', {
    where: `${id} (${by})`,
    got: firstLine(error),
    ...(remedy !== '' && { remedy }),
    cause: error,
  });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!.trim();
}
