import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { cacheHome } from '@metaapo/core/storage';
import type { NativeBackendId } from '../backend.js';
import { type BackendMeasurement, measureInChild } from '../measure-in-child.js';
import {
  defaultSearchPath,
  findNativePackage,
  librariesDirectory,
  NATIVE_PACKAGE_NAMES,
  NATIVE_PACKAGE_VERSION,
  type NativePackage,
} from '../native-package.js';
import { faultOfFiles } from '../probe-native.js';
import { textField } from '../text-field.js';
import { compilerFor, placeBinding } from './binding.js';
import { explainFailure, failure } from './explain-failure.js';
import { placeKernels } from './kernels.js';
import type { KnownWheels } from './known-wheels.js';
import { ensureLibtensorflow, type LibrarySource } from './library-cache.js';
import { LIBTENSORFLOW_VERSION } from './locations.js';
import { currentPlatform, type Host, requirePlatform } from './platform.js';
import { createStage, discard, linkOrCopy, linkOrCopyTree, makeRoomFor, putInPlace } from './stage.js';

/** What to install, and from where. */
export interface InstallOptions extends LibrarySource {
  /** The CUDA build for @tensorflow/tfjs-node-gpu; default: the CPU build for @tensorflow/tfjs-node. */
  readonly gpu?: boolean | undefined;
  /** A prebuilt tfjs_binding.node that is copied; default: it is compiled. */
  readonly binding?: string | undefined;
  /** Installs again, cache included, even when what is there works. */
  readonly force?: boolean | undefined;
  /** Wheels that are taken without `allowUnknownWheel`; default: those that this version knows by their checksums. */
  readonly knownWheels?: KnownWheels | undefined;
  /** Directories from which the package is resolved; default: the working directory, then this package. */
  readonly searchFrom?: readonly string[] | undefined;
  /** PATH, METAAPO_HOME, CXX and what pip reads; default: the process'. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Is told what is being done, a line at a time. */
  readonly report?: ((line: string) => void) | undefined;
}

/** What is installed now. */
export interface InstallResult {
  readonly id: NativeBackendId;
  readonly status: 'installed' | 'already-installed';
  readonly packageDirectory: string;
  /** Version of libtensorflow as it says itself. */
  readonly libtensorflow: string;
  readonly usesGpu: boolean;
  /** One printable sentence. */
  readonly summary: string;
}

const RECEIPT = 'metaapo-backend.json';

/**
 * Provides a native package with libtensorflow 2.21 and its binding, and checks it in a fresh process.
 * Everything is made beside the package and checked there; only then it takes the old one's place.
 * A second call finds it there and only checks it.
 * @throws MetaapoError with code `backend`: one paragraph with a remedy; the package is as before then
 */
export async function installBackend(options: InstallOptions = {}): Promise<InstallResult> {
  const id: NativeBackendId = options.gpu ? 'tensorflow-gpu' : 'tensorflow';
  const name = NATIVE_PACKAGE_NAMES[id];
  try {
    const host = requirePlatform(currentPlatform(), options.gpu ? 'cuda' : 'cpu');
    const found = requirePackage(id, options);
    const present = options.force ? undefined : await checkPresent(found, options);
    if (present !== undefined) {
      // An older installation has none, or others.
      await placeKernels({ ...workOf(host, options), stage: found.directory });
      return resultOf(found, 'already-installed', present);
    }
    return resultOf(found, 'installed', await install(found, host, options));
  } catch (error) {
    throw explainFailure(error, name);
  }
}

function requirePackage(id: NativeBackendId, options: InstallOptions): NativePackage {
  const { wheel, fromPython, searchFrom, allowUnknownWheel = false } = options;
  if (wheel !== undefined && fromPython !== undefined) {
    throw new MetaapoError('config', 'Two sources of libtensorflow are given', {
      where: 'backend install',
      expected: 'one of --wheel and --from-python',
      got: 'both',
    });
  }
  if (allowUnknownWheel && fromPython !== undefined) {
    throw new MetaapoError('config', 'A flag has no effect', {
      where: 'backend install',
      expected: 'no --allow-unknown-wheel beside --from-python',
      got: 'both, where no wheel is read: an environment is taken as it is',
      remedy: 'Leave --allow-unknown-wheel out',
    });
  }
  const found = findNativePackage(id, searchFrom ?? defaultSearchPath());
  if (found !== undefined) return found;
  const name = NATIVE_PACKAGE_NAMES[id];
  const remedy = `Run \`npm i ${name}@${NATIVE_PACKAGE_VERSION} --ignore-scripts\` in your project, then this command again`;
  throw failure(`${name} is not installed`, 'backend install', `no ${name} as seen from this directory`, remedy);
}

/** The check of what is installed; undefined when it must be installed. */
async function checkPresent(found: NativePackage, options: InstallOptions): Promise<BackendMeasurement | undefined> {
  if (faultOfFiles(found.directory) !== undefined) return undefined;
  if (options.gpu && (await readReceipt(found.directory)) !== 'cuda') return undefined;
  const report = options.report ?? (() => undefined);
  try {
    const { env, signal } = options;
    const measured = await measureInChild({ packageDirectory: found.directory }, { budgetMs: 0, env, signal });
    if (/^2\.21\./.test(measured.libtensorflow ?? '')) return measured;
    report(`libtensorflow ${measured.libtensorflow} is there: ${LIBTENSORFLOW_VERSION} takes its place`);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    report(`What is there does not work and is replaced. ${(error as Error).message}`);
  }
  return undefined;
}

/** What all parts of an installation need to know. */
function workOf(host: Host, { env = process.env, signal, force = false, report = () => undefined }: InstallOptions) {
  return { home: cacheHome(env), host, force, context: { env, signal }, report };
}

async function install(found: NativePackage, host: Host, options: InstallOptions): Promise<BackendMeasurement> {
  const { signal, wheel, fromPython } = options;
  const build = options.gpu ? 'cuda' : 'cpu';
  compilerFor(host.target, options.binding);
  const shared = workOf(host, options);
  const { report } = shared;
  const stage = await createStage(found.directory);
  try {
    const { allowUnknownWheel, knownWheels } = options;
    const libraries = await ensureLibtensorflow({
      ...shared,
      build,
      wheel,
      fromPython,
      allowUnknownWheel,
      knownWheels,
    });
    await placeLibraries(libraries, stage);
    await writeFile(
      join(stage, 'deps', RECEIPT),
      `${JSON.stringify({ build, libtensorflow: LIBTENSORFLOW_VERSION })}\n`,
    );
    await placeBinding({ ...shared, packageDirectory: found.directory, stage, prebuilt: options.binding });
    await placeKernels({ ...shared, stage });
    // With these the stage is a package of its own: the check sees what will be in place.
    await linkOrCopyTree(join(found.directory, 'dist'), join(stage, 'dist'));
    await linkOrCopy(join(found.directory, 'package.json'), join(stage, 'package.json'));
    report('Checking it in a fresh process');
    const measured = await check(stage, options);
    signal?.throwIfAborted();
    await putInPlace(stage, found.directory, ['deps', 'lib']);
    return measured;
  } finally {
    await discard(stage);
  }
}

/** What the cache has, as `deps`; the libraries where the binding finds them. */
async function placeLibraries(libraries: string, stage: string): Promise<void> {
  await linkOrCopyTree(libraries, join(stage, 'deps'));
  const goal = librariesDirectory(stage);
  if (goal === join(stage, 'deps', 'lib')) return;
  await rename(join(stage, 'deps', 'lib'), await makeRoomFor(goal));
}

async function check(stage: string, { binding, env, signal }: InstallOptions): Promise<BackendMeasurement> {
  try {
    return await measureInChild({ packageDirectory: stage }, { budgetMs: 0, env, signal });
  } catch (error) {
    if (!(error instanceof MetaapoError)) throw error;
    throw failure(
      'What was installed does not work',
      stage,
      error.fault.got ?? error.message,
      repairOf(binding),
      error,
    );
  }
}

function repairOf(binding: string | undefined): string {
  if (binding === undefined)
    return 'Run the command again with --force, which makes the libraries and the binding anew';
  if (process.platform === 'win32')
    return "Install Microsoft's Visual C++ Redistributable for x64, and give the binding that belongs to this version";
  return 'This prebuilt binding may be made for other libraries: leave --binding out to compile one';
}

async function readReceipt(packageDirectory: string): Promise<string | undefined> {
  const text = await readFile(join(packageDirectory, 'deps', RECEIPT), 'utf8').catch(() => '{}');
  return textField(text, 'build');
}

function resultOf(found: NativePackage, status: InstallResult['status'], measured: BackendMeasurement): InstallResult {
  const libtensorflow = measured.libtensorflow ?? 'of unknown version';
  const device =
    found.id === 'tensorflow'
      ? ''
      : measured.usesGpu
        ? ' on the GPU'
        : ' on the CPU, since TensorFlow found no usable GPU';
  const verb = status === 'installed' ? 'is installed' : 'is there already';
  return {
    id: found.id,
    status,
    packageDirectory: found.directory,
    libtensorflow,
    usesGpu: measured.usesGpu,
    summary: `${found.id} ${verb}: libtensorflow ${libtensorflow} in ${found.directory}; it computed a product${device}.`,
  };
}
