import { freemem } from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { machineMemory } from './available-memory.js';
import { type BackendId, isBackendId, isNative } from './backend.js';
import { type CpuInformation, readCpu } from './cpu-information.js';
import { type GpuInformation, listGpus } from './gpu-information.js';
import { isGpuPresent } from './gpu-present.js';
import { describeAdapter } from './load-webgpu.js';
import { type BackendMeasurement, measureInChild, type Subject } from './measure-in-child.js';
import { defaultSearchPath } from './native-package.js';
import { nextSteps } from './next-steps.js';
import { type ChoicePlan, planChoice } from './plan-choice.js';
import { probeBackends } from './probe-backends.js';
import { installCommand, type NativeProbe } from './probe-native.js';
import type { WebgpuProbe } from './probe-webgpu.js';

/** A backend as it was found on this machine. */
export interface BackendInspection {
  readonly id: BackendId;
  /** `ready`: it computed a product in a process of its own; `broken`: its files are there, but it did not. */
  readonly state: NativeProbe['state'] | 'broken';
  /** Why; a clause. */
  readonly reason: string;
  /** What to do about it; empty when ready. */
  readonly remedy: string;
  /** What was measured; absent unless ready. */
  readonly measured?: BackendMeasurement;
}

/** What `metaapo doctor` shows. */
export interface SystemInspection {
  readonly node: { readonly version: string; readonly isSupported: boolean };
  readonly platform: string;
  readonly cpu: CpuInformation;
  readonly gpus: readonly GpuInformation[];
  /** Bytes. `limit` is the container's, where there is one. */
  readonly memory: { readonly free: number; readonly total: number; readonly limit?: number };
  /** Version of TensorFlow.js in this process; the others are in each backend's `measured.versions`. */
  readonly tfjs: string;
  readonly backends: readonly BackendInspection[];
  /** The backend that a run would use now; undefined when METAAPO_BACKEND names none that is ready. */
  readonly chosen: BackendId | undefined;
  /** What to do next; plain sentences, most useful first. */
  readonly nextSteps: readonly string[];
}

/** How to inspect. */
export interface InspectOptions {
  /** Time for measuring each kind of product on each backend; default 500. 0: no speeds. */
  readonly budgetMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly searchFrom?: readonly string[];
}

/**
 * Looks at the machine and measures each backend in a process of its own, one after the other.
 * What cannot be found out is left out; nothing here is an error.
 */
export async function inspectSystem(options: InspectOptions = {}): Promise<SystemInspection> {
  const { budgetMs = 500, env = process.env, searchFrom = defaultSearchPath() } = options;
  const probes = probeBackends(searchFrom);
  const backends: BackendInspection[] = [];
  for (const probe of probes.native) backends.push(await inspectNative(probe, budgetMs, env));
  backends.push(await inspectWebgpu(probes.webgpu, budgetMs, env));
  backends.push(await inspectOne('wasm', 'wasm', 'embedded', budgetMs, env));
  const gpus = await listGpus(env);
  const isGpuHere = gpus.length > 0 || isGpuPresent();
  const chosen = chosenFrom(backends, planChoice(probes, isGpuHere), env.METAAPO_BACKEND);
  const seen = { node: inspectNode(), cpu: readCpu(), gpus, backends, chosen };
  return {
    ...seen,
    platform: `${process.platform} ${process.arch}`,
    memory: { free: freemem(), ...machineMemory() },
    tfjs: tf.version.tfjs,
    nextSteps: nextSteps(seen, isGpuHere, env.METAAPO_BACKEND),
  };
}

function inspectNative(probe: NativeProbe, budgetMs: number, env: NodeJS.ProcessEnv): Promise<BackendInspection> {
  const { id, state, reason, remedy } = probe;
  if (state !== 'ready') return Promise.resolve({ id, state, reason, remedy });
  return inspectOne(id, { packageDirectory: probe.package!.directory }, reason, budgetMs, env);
}

async function inspectWebgpu(
  { state, reason, remedy, directories }: WebgpuProbe,
  budgetMs: number,
  env: NodeJS.ProcessEnv,
): Promise<BackendInspection> {
  if (directories === undefined) return { id: 'webgpu', state, reason, remedy };
  const found = await inspectOne('webgpu', { webgpu: directories }, reason, budgetMs, env);
  if (found.measured?.adapter === undefined) return found;
  const { name, isSoftware } = describeAdapter(found.measured.adapter);
  return {
    ...found,
    reason: `${reason}, on ${name}${isSoftware ? ', which computes on the CPU: used only when it is asked for' : ''}`,
    measured: { ...found.measured, usesGpu: !isSoftware },
  };
}

async function inspectOne(
  id: BackendId,
  subject: Subject,
  reason: string,
  budgetMs: number,
  env: NodeJS.ProcessEnv,
): Promise<BackendInspection> {
  try {
    const measured = await measureInChild(subject, { budgetMs, env });
    const device =
      id === 'tensorflow-gpu' ? `, on the ${measured.usesGpu ? 'GPU' : 'CPU: TensorFlow found no usable GPU'}` : '';
    return { id, state: 'ready', reason: `${reason}${device}`, remedy: '', measured };
  } catch (error) {
    const remedy = isNative(id)
      ? `Run \`${installCommand(id)} --force\`.`
      : id === 'webgpu'
        ? 'Install the driver of a GPU, if there is one.'
        : 'Install the packages of this project again.';
    return { id, state: 'broken', reason: (error as Error).message, remedy };
  }
}

function chosenFrom(
  backends: readonly BackendInspection[],
  { candidates }: ChoicePlan,
  asked: string | undefined,
): BackendId | undefined {
  const isReady = (id: BackendId): boolean =>
    id === 'cpu' || backends.some((one) => one.id === id && one.state === 'ready');
  if (asked && asked !== 'auto') return isBackendId(asked) && isReady(asked) ? asked : undefined;
  return candidates.find(({ id }) => isReady(id) && (id !== 'webgpu' || isHardware(backends)))?.id;
}

function isHardware(backends: readonly BackendInspection[]): boolean {
  return backends.some(({ id, measured }) => id === 'webgpu' && measured?.usesGpu === true);
}

function inspectNode(): SystemInspection['node'] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return { version: process.version, isSupported: major > 20 || (major === 20 && minor >= 19) };
}
