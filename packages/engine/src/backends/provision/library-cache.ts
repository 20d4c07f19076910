import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { requireSealed, sealDirectory } from '@metaapo/core/storage';
import type { LibtensorflowBuild } from '../native-targets.js';
import { failure } from './explain-failure.js';
import { type KnownWheels, pinnedRequirements, requireKnownWheel } from './known-wheels.js';
import { checkTensorflow, extractLibtensorflow, extractNvidia, hasLibtensorflow } from './libtensorflow.js';
import { LIBTENSORFLOW_VERSION, libtensorflowDirectory } from './locations.js';
import type { PackageTree } from './package-tree.js';
import { downloadWheels } from './pip.js';
import type { Host } from './platform.js';
import { standInForPython } from './python-stand-in.js';
import type { CommandContext } from './run-command.js';
import { openSitePackages } from './site-packages.js';
import { createStage, discard, putInPlace } from './stage.js';
import { openWheel } from './wheel.js';

/** Where libtensorflow comes from. Neither file nor environment: pip downloads it. */
export interface LibrarySource {
  /** A wheel of tensorflow-cpu or tensorflow; nvidia wheels that lie beside it are used too. */
  readonly wheel?: string | undefined;
  /** A python executable, or a site-packages directory. */
  readonly fromPython?: string | undefined;
  /** Takes wheels whose checksum is not in the table of this version, and says which. */
  readonly allowUnknownWheel?: boolean | undefined;
}

/** What an installation of libtensorflow into the cache needs to know. */
export interface LibraryRequest extends LibrarySource {
  readonly build: LibtensorflowBuild;
  readonly home: string;
  readonly host: Host;
  /** Makes the cache's entry anew; a given wheel or environment does so too. */
  readonly force: boolean;
  /** Wheels that are taken without being asked; default: the table of this version. */
  readonly knownWheels?: KnownWheels | undefined;
  readonly context: CommandContext;
  report(line: string): void;
}

/**
 * Sees that a build of libtensorflow is in the cache.
 * @returns its directory, with `lib`, `include`, and `nvidia` for CUDA
 * @throws MetaapoError with code `backend`, or the file system's error; the cache is as before then
 */
export async function ensureLibtensorflow(request: LibraryRequest): Promise<string> {
  const goal = libtensorflowDirectory(request.home, request.build, request.host.target);
  const isGiven = request.wheel !== undefined || request.fromPython !== undefined;
  if (!isGiven && !request.force && (await hasLibtensorflow(goal, request.host.target))) {
    if (await isAsWritten(goal)) {
      request.report(`libtensorflow is in the cache: ${goal}`);
      return goal;
    }
    request.report(`${goal} is of an older version, or not as it was written: it is made anew`);
  }
  const stage = await createStage(dirname(goal));
  try {
    const tree = await openSource(request, stage);
    try {
      await fill(tree, join(stage, basename(goal)), stage, request);
      await sealDirectory(join(stage, basename(goal)));
    } finally {
      tree.close();
    }
    await putInPlace(stage, dirname(goal), [basename(goal)]);
  } finally {
    await discard(stage);
  }
  return goal;
}

/** Compares the cache's files with their checksums, before other projects link them. */
async function isAsWritten(directory: string): Promise<boolean> {
  return requireSealed(directory).then(
    () => true,
    () => false,
  );
}

async function openSource(request: LibraryRequest, stage: string): Promise<PackageTree> {
  const { wheel, fromPython, build, host, context, report } = request;
  if (fromPython !== undefined) return openSitePackages(fromPython, context);
  if (wheel !== undefined) return openKnownWheel(resolve(wheel), request);
  const { name, megabytes } = host.target.wheels[build]!;
  report(`Downloading ${name} ${LIBTENSORFLOW_VERSION} for ${host.target.title} (${megabytes} MB) with pip`);
  const [file] = await download([`${name}==${LIBTENSORFLOW_VERSION}`], join(stage, 'wheel'), request);
  return openKnownWheel(file!, request);
}

async function openKnownWheel(file: string, request: LibraryRequest): Promise<PackageTree> {
  const { allowUnknownWheel: allowUnknown = false, knownWheels: known, context, report } = request;
  await requireKnownWheel(file, { allowUnknown, known, report }, context.signal);
  return openWheel(file, context.signal);
}

async function fill(tree: PackageTree, target: string, stage: string, request: LibraryRequest): Promise<void> {
  const { cudaRequirements } = await checkTensorflow(tree, request.build, request.host.target);
  request.report(`Taking libtensorflow out of ${tree.where}`);
  const { libraries, importsPython } = request.host.target;
  await extractLibtensorflow(tree, target, request.host.target);
  if (importsPython) await standInForPython(join(target, 'lib', libraries[0]!.name));
  if (request.build === 'cpu') return;
  const taken = request.fromPython === undefined ? 0 : await extractNvidia(tree, target);
  if (request.fromPython !== undefined) {
    if (taken === 0)
      request.report(`${tree.where} has no CUDA libraries (tensorflow[and-cuda]): the system's are used`);
    return;
  }
  for (const wheel of await nvidiaWheels(cudaRequirements, stage, request)) {
    const part = await openKnownWheel(wheel, request);
    try {
      await extractNvidia(part, target);
    } finally {
      part.close();
    }
  }
}

/** The CUDA wheels: those beside a given wheel, and for the others pip. */
async function nvidiaWheels(
  requirements: readonly string[],
  stage: string,
  request: LibraryRequest,
): Promise<string[]> {
  if (requirements.length === 0) {
    throw failure(
      'This wheel names no CUDA libraries',
      request.wheel ?? 'tensorflow',
      'no extra and-cuda',
      'Give another wheel',
    );
  }
  const folder = request.wheel === undefined ? undefined : dirname(resolve(request.wheel));
  const beside = folder === undefined ? [] : (await readdir(folder)).map((name) => join(folder, name));
  const found = requirements.map((requirement) => beside.find((file) => isWheelOf(file, requirement)));
  const missing = requirements.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) request.report(`Downloading ${missing.length} CUDA packages (3 GB) with pip`);
  const downloaded = missing.length > 0 ? await download(missing, join(stage, 'nvidia-wheels'), request) : [];
  return [...found.filter((file) => file !== undefined), ...downloaded];
}

/** Requirement `nvidia-cublas-cu12<13.0` and file `nvidia_cublas_cu12-12.9.1.4-py3-none-....whl`. */
function isWheelOf(file: string, requirement: string): boolean {
  const name = packageOf(requirement).replace(/[-.]+/g, '_');
  return basename(file).startsWith(`${name}-`) && file.endsWith('.whl');
}

const packageOf = (requirement: string): string => /^[\w.-]+/.exec(requirement)![0];

async function download(
  requirements: readonly string[],
  directory: string,
  request: LibraryRequest,
): Promise<string[]> {
  await mkdir(directory);
  const haveChecksums = request.allowUnknownWheel !== true;
  const lines = haveChecksums ? pinnedRequirements(requirements.map(packageOf), request.knownWheels) : requirements;
  await downloadWheels({ lines, haveChecksums }, directory, request.host.pipPlatforms, request.context);
  const files = (await readdir(directory)).filter((name) => name.endsWith('.whl')).map((name) => join(directory, name));
  if (files.length === requirements.length) return files;
  const remedy = 'See what `python3 -m pip config list` says about the index';
  throw failure('pip ended well but left no wheel', directory, `${files.length} of ${requirements.length}`, remedy);
}
