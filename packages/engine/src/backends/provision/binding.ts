import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { bindingFile, librariesDirectory } from '../native-package.js';
import type { BindingCompiler, NativeTarget } from '../native-targets.js';
import { isLibraryFile } from '../probe-native.js';
import { QUIET_FILE, QUIET_SOURCE } from '../quiet-loading.js';
import { failure } from './explain-failure.js';
import { LIBTENSORFLOW_VERSION } from './locations.js';
import type { Host } from './platform.js';
import { type CommandContext, complaintOf, runCommand } from './run-command.js';
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

/** One file a set of sources, flags and libraries: another version of any of them is another file. */
async function cachedBinding(
  { packageDirectory, home, host }: BindingRequest,
  { flags, linking }: BindingCompiler,
): Promise<string> {
  const parts = [LIBTENSORFLOW_VERSION, host.target.id, host.runtime, ...flags, ...linking];
  const hash = createHash('sha256').update(parts.join('\n')).update(QUIET_SOURCE);
  const sources = join(packageDirectory, 'binding');
  for (const name of (await readdir(sources)).sort()) hash.update(name).update(await readFile(join(sources, name)));
  return join(home, 'bindings', hash.digest('hex').slice(0, 16), 'tfjs_binding.node');
}

async function compile(request: BindingRequest, compiler: BindingCompiler, goal: string): Promise<void> {
  const { packageDirectory, stage, context } = request;
  request.report('Compiling the binding');
  await mkdir(dirname(goal), { recursive: true });
  const build = await createStage(dirname(goal));
  try {
    const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
    const [binding, quiet, source] = [join(build, basename(goal)), join(build, QUIET_FILE), join(build, 'quiet.cc')];
    await writeFile(source, QUIET_SOURCE);
    const common = [...compiler.flags, '-I', headers];
    const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageDirectory, 'binding', name));
    const libraries = ['-L', librariesDirectory(stage), ...compiler.linking];
    const inBuild = { ...context, env: { ...context.env, TMPDIR: build } };
    const include = join(stage, 'deps', 'include');
    await runCompiler(compiler, [...common, '-pthread', '-o', quiet, source], inBuild);
    await runCompiler(compiler, [...common, '-I', include, '-o', binding, ...sources, ...libraries], inBuild);
    // The binding last: where it is, all is.
    await rename(quiet, join(dirname(goal), QUIET_FILE));
    await rename(binding, goal);
  } finally {
    await discard(build);
  }
}

async function runCompiler(
  { commands, remedy }: BindingCompiler,
  parameters: readonly string[],
  context: CommandContext,
): Promise<void> {
  const compilers = context.env.CXX ? [context.env.CXX] : commands;
  for (const compiler of compilers) {
    const result = await runCommand(compiler, parameters, context);
    if (result.end === 0) return;
    if (result.end !== 'missing') {
      const others = `${remedy} or name another compiler in CXX, or give a prebuilt binding with --binding FILE`;
      throw failure('The binding could not be compiled', compiler, complaintOf(result), others);
    }
  }
  const got = `none of ${compilers.join(', ')}`;
  const others = `${remedy}, or give a prebuilt binding with --binding FILE`;
  throw failure('A C++ compiler is needed to build the binding', 'PATH', got, others);
}
