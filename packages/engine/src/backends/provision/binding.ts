import { access, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { bindingFile, librariesDirectory } from '../native-package.js';
import type { BindingCompiler, NativeTarget } from '../native-targets.js';
import { isLibraryFile } from '../probe-native.js';
import { QUIET_FILE, QUIET_SOURCE } from '../quiet-loading.js';
import { compiledFile, nodeHeaders, readSources, runCompiler } from './compiler.js';
import { failure } from './explain-failure.js';
import type { Host } from './platform.js';
import { type CommandContext, complaintOf } from './run-command.js';
import { createStage, discard, makeRoomFor } from './stage.js';

/** What the binding is made from. */
export interface BindingRequest {
  /** The native package, with its `binding` sources. */
  readonly packageDirectory: string;
  /** Package under construction; its `deps` are complete. */
  readonly stage: string;
  readonly home: string;
  /** A prebuilt binding that is copied, with the addon that keeps notes away where that lies beside it. */
  readonly prebuilt?: string | undefined;
  readonly host: Host;
  readonly force: boolean;
  readonly context: CommandContext;
  report(line: string): void;
}

const RELEASES = 'https://github.com/metaapo/metaapo/releases';

/**
 * The compiler of a system, if the binding is not given.
 * @throws MetaapoError with code `backend` where there is none to be had, so that nothing is downloaded in vain
 */
export function compilerFor(target: NativeTarget, prebuilt: string | undefined): BindingCompiler | undefined {
  if (prebuilt !== undefined || target.compiler !== undefined) return target.compiler;
  const remedy = `Download tfjs_binding-${target.id}.node of this version from ${RELEASES} and give it with --binding FILE`;
  throw failure('The binding is not compiled on this system', 'backend install', target.title, remedy);
}

/**
 * Puts the N-API binding into the stage: the prebuilt one, the one in the cache, or one compiled now (some 10 s), these
 * with the addon that keeps TensorFlow's notes away.
 * @throws MetaapoError with code `backend` without a compiler, or when it fails
 */
export async function placeBinding(request: BindingRequest): Promise<void> {
  const goal = await makeRoomFor(bindingFile(request.stage));
  const compiler = compilerFor(request.host.target, request.prebuilt);
  if (request.prebuilt !== undefined) return copyPrebuilt(request.prebuilt, goal, request.host.target);
  const cached = await cachedBinding(request, compiler!);
  const isCached = await access(cached).then(
    () => true,
    () => false,
  );
  if (request.force || !isCached) await compile(request, compiler!, cached);
  else request.report(`The binding is in the cache: ${cached}`);
  // Small, so copied: whatever is done to one project's binding does not reach the cache.
  await copyFile(cached, goal);
  await copyFile(join(dirname(cached), QUIET_FILE), join(dirname(goal), QUIET_FILE));
}

async function copyPrebuilt(file: string, goal: string, { title, magicName }: NativeTarget): Promise<void> {
  if (!isLibraryFile(file)) {
    const got = `a file that is missing or no ${magicName}`;
    const remedy = `Give a tfjs_binding.node built for ${title}, or leave --binding out`;
    throw failure('This binding cannot be used', file, got, remedy);
  }
  await copyFile(file, goal);
  const quiet = join(dirname(file), QUIET_FILE);
  if (isLibraryFile(quiet)) await copyFile(quiet, join(dirname(goal), QUIET_FILE));
}

async function cachedBinding(request: BindingRequest, { flags, linking }: BindingCompiler): Promise<string> {
  const sources = await readSources(join(request.packageDirectory, 'binding'));
  const made = { name: 'tfjs_binding.node', flags: [...flags, ...linking] };
  return compiledFile(request, made, [QUIET_SOURCE, ...sources.flat()]);
}

async function compile(request: BindingRequest, compiler: BindingCompiler, goal: string): Promise<void> {
  const { packageDirectory, stage, context } = request;
  request.report('Compiling the binding');
  await mkdir(dirname(goal), { recursive: true });
  const build = await createStage(dirname(goal));
  try {
    const [binding, quiet, source] = [join(build, basename(goal)), join(build, QUIET_FILE), join(build, 'quiet.cc')];
    await writeFile(source, QUIET_SOURCE);
    const common = [...compiler.flags, '-I', nodeHeaders()];
    const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageDirectory, 'binding', name));
    const libraries = ['-L', librariesDirectory(stage), ...compiler.linking];
    const inBuild = { ...context, env: { ...context.env, TMPDIR: build } };
    const include = join(stage, 'deps', 'include');
    await demand(compiler, [...common, '-pthread', '-o', quiet, source], inBuild);
    await demand(compiler, [...common, '-I', include, '-o', binding, ...sources, ...libraries], inBuild);
    // The binding last: where it is, all is.
    await rename(quiet, join(dirname(goal), QUIET_FILE));
    await rename(binding, goal);
  } finally {
    await discard(build);
  }
}

async function demand(
  compiler: BindingCompiler,
  parameters: readonly string[],
  context: CommandContext,
): Promise<void> {
  const { remedy } = compiler;
  const done = await runCompiler(compiler, parameters, context);
  if ('missing' in done) {
    const others = `${remedy}, or give a prebuilt binding with --binding FILE`;
    throw failure(
      'A C++ compiler is needed to build the binding',
      'PATH',
      `none of ${done.missing.join(', ')}`,
      others,
    );
  }
  if (done.result.end === 0) return;
  const others = `${remedy} or name another compiler in CXX, or give a prebuilt binding with --binding FILE`;
  throw failure('The binding could not be compiled', done.compiler, complaintOf(done.result), others);
}
