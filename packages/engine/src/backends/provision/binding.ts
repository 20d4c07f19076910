import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { bindingFile, librariesDirectory } from '../native-package.js';
import { isElfFile } from '../probe-native.js';
import { failure } from './explain-failure.js';
import { LIBTENSORFLOW_VERSION } from './locations.js';
import { type CommandContext, complaintOf, runCommand } from './run-command.js';
import { createStage, discard, makeRoomFor } from './stage.js';

/** What the binding is made from. */
export interface BindingRequest {
  /** The native package, with its `binding` sources. */
  readonly packageDirectory: string;
  /** Package under construction; its `deps` are complete. */
  readonly stage: string;
  readonly home: string;
  /** A prebuilt binding that is copied. */
  readonly prebuilt?: string | undefined;
  readonly glibcMinor: number;
  readonly force: boolean;
  readonly context: CommandContext;
  report(line: string): void;
}

const FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'];
// Found from lib/napi-v8 in the package, wherever the package lies.
const LINKING = ['-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2', '-Wl,-rpath,$ORIGIN/../../deps/lib'];

/**
 * Puts the N-API binding into the stage: the prebuilt one, the one in the cache, or one compiled now (some 10 s).
 * @throws MetaapoError with code `backend` without a compiler, or when it fails
 */
export async function placeBinding(request: BindingRequest): Promise<void> {
  const goal = await makeRoomFor(bindingFile(request.stage));
  if (request.prebuilt !== undefined) return copyPrebuilt(request.prebuilt, goal);
  const cached = await cachedBinding(request);
  const isCached = await access(cached).then(
    () => true,
    () => false,
  );
  if (request.force || !isCached) await compile(request, cached);
  else request.report(`The binding is in the cache: ${cached}`);
  // Small, so copied: whatever is done to one project's binding does not reach the cache.
  await copyFile(cached, goal);
}

async function copyPrebuilt(file: string, goal: string): Promise<void> {
  if (!isElfFile(file)) {
    const got = 'a file that is missing or no Linux library';
    throw failure(
      'This binding cannot be used',
      file,
      got,
      'Give a tfjs_binding.node built for Linux x64, or leave --binding out',
    );
  }
  await copyFile(file, goal);
}

/** One file a set of sources, flags and libraries: another version of any of them is another file. */
async function cachedBinding({ packageDirectory, home, glibcMinor }: BindingRequest): Promise<string> {
  const hash = createHash('sha256').update([LIBTENSORFLOW_VERSION, glibcMinor, ...FLAGS, ...LINKING].join('\n'));
  const sources = join(packageDirectory, 'binding');
  for (const name of (await readdir(sources)).sort()) hash.update(name).update(await readFile(join(sources, name)));
  return join(home, 'bindings', hash.digest('hex').slice(0, 16), 'tfjs_binding.node');
}

async function compile(request: BindingRequest, goal: string): Promise<void> {
  const { packageDirectory, stage, context } = request;
  request.report('Compiling the binding');
  await mkdir(dirname(goal), { recursive: true });
  const build = await createStage(dirname(goal));
  try {
    const output = join(build, 'tfjs_binding.node');
    const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
    const parameters = [
      ...[...FLAGS, '-I', headers, '-I', join(stage, 'deps', 'include'), '-o', output],
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageDirectory, 'binding', name)),
      ...['-L', librariesDirectory(stage), ...LINKING],
    ];
    await runCompiler(parameters, { ...context, env: { ...context.env, TMPDIR: build } });
    await rename(output, goal);
  } finally {
    await discard(build);
  }
}

async function runCompiler(parameters: readonly string[], context: CommandContext): Promise<void> {
  const compilers = context.env.CXX ? [context.env.CXX] : ['g++', 'c++', 'clang++'];
  for (const compiler of compilers) {
    const result = await runCommand(compiler, parameters, context);
    if (result.end === 0) return;
    if (result.end !== 'missing') {
      const remedy =
        'Install a newer g++ (9 or later) or name another compiler in CXX, or give a prebuilt binding with --binding FILE';
      throw failure('The binding could not be compiled', compiler, complaintOf(result), remedy);
    }
  }
  const remedy = 'Install g++ (Debian and Ubuntu: `apt install g++`), or give a prebuilt binding with --binding FILE';
  throw failure('A C++ compiler is needed to build the binding', 'PATH', `none of ${compilers.join(', ')}`, remedy);
}
