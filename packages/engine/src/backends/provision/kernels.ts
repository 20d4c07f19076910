import { copyFile, mkdir, readFile, rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { kernelsFile, librariesDirectory } from '../native-package.js';
import type { BindingCompiler } from '../native-targets.js';
import type { BindingRequest } from './binding.js';
import { compiledFile, nodeHeaders, readSources, runCompiler } from './compiler.js';
import { complaintOf } from './run-command.js';
import { createStage, discard, makeRoomFor } from './stage.js';

/** What the module of the fused kernels is made from: the native package in `stage` is complete but for it. */
export type KernelsRequest = Omit<BindingRequest, 'prebuilt' | 'packageDirectory'>;

// Without contraction: which products and sums are one rounding is for the sources to say, not for a compiler.
const FLAGS = ['-std=c++17', '-O3', '-fPIC', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=off'];
const MODULE_FLAGS = ['-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'];
const LINKING = ['-shared', '-l:libtensorflow_framework.so.2', '-Wl,-rpath,$ORIGIN/../../deps/lib'];
const WIDE = ['-mfma', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl'];
/** Levels of instructions, of which the module takes the best that a processor has; the first has to compile. */
const LEVELS: Readonly<Record<string, readonly string[]>> = {
  avx2: ['-mavx2', '-mfma'],
  avx512: WIDE,
  bfloat16: [...WIDE, '-mavx512bf16'],
  amx: [...WIDE, '-mavx512bf16', '-mamx-tile', '-mamx-bf16'],
};
const SOURCES = ['functions', 'threads', 'operations', 'module'];

/**
 * Puts the module of the fused kernels beside a package's binding: the one in the cache, or one compiled now (some 20 s).
 * It is for Linux x64. Programs run without it, so what goes wrong is reported only.
 */
export async function placeKernels(request: KernelsRequest): Promise<void> {
  const { host, force, report, context } = request;
  const { compiler, id } = host.target;
  if (id !== 'linux-x64' || compiler === undefined) return;
  const sources = await readSources(sourceDirectory());
  const made = { name: 'metaapo_kernels.node', flags: [...FLAGS, ...Object.values(LEVELS).flat()] };
  const cached = compiledFile(request, made, sources.flat());
  const present = await contentOf(cached);
  try {
    if (force || present === undefined) await compile(request, compiler, cached);
    const goal = kernelsFile(request.stage);
    if ((await contentOf(goal))?.equals((await contentOf(cached))!)) return;
    await makeRoomFor(goal);
    await copyFile(cached, `${goal}.new`);
    await rename(`${goal}.new`, goal);
  } catch (error) {
    if (context.signal?.aborted) throw error;
    report(`The fused kernels could not be compiled (${(error as Error).message}): programs run without them`);
  }
}

const contentOf = (file: string): Promise<Buffer | undefined> => readFile(file).catch(() => undefined);

/** The folder of the sources in this package, whether it runs from sources or from a bundle. */
function sourceDirectory(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@metaapo/engine/package.json')), 'kernels');
}

async function compile(request: KernelsRequest, compiler: BindingCompiler, goal: string): Promise<void> {
  const { stage, context, report } = request;
  report('Compiling the fused kernels');
  await mkdir(dirname(goal), { recursive: true });
  const build = await createStage(dirname(goal));
  try {
    const own = { ...context, env: { ...context.env, TMPDIR: build } };
    const run = (parameters: readonly string[]): Promise<string | undefined> => complaint(compiler, parameters, own);
    const objects = [...(await compileLevels(build, run)), ...(await compileModule(build, stage, run))];
    const output = join(build, 'metaapo_kernels.node');
    await demand(run(['-o', output, ...objects, '-L', librariesDirectory(stage), ...LINKING]));
    await rename(output, goal);
  } finally {
    await discard(build);
  }
}

/** Flags that the functions of a level are compiled with. */
export const flagsOf = (level: string): readonly string[] => [...FLAGS, ...LEVELS[level]!, `-DMETAAPO_LEVEL=${level}`];

type Run = (parameters: readonly string[]) => Promise<string | undefined>;

/** An older compiler does not know the newest levels: they are left out. */
async function compileLevels(build: string, run: Run): Promise<readonly string[]> {
  const source = join(sourceDirectory(), 'level.cc');
  const made: string[] = [];
  for (const level of Object.keys(LEVELS)) {
    const object = join(build, `level-${level}.o`);
    const fault = await run([...flagsOf(level), '-c', source, '-o', object]);
    if (fault === undefined) made.push(object);
    else if (made.length === 0) throw new Error(fault);
  }
  return made;
}

async function compileModule(build: string, stage: string, run: Run): Promise<readonly string[]> {
  const directory = sourceDirectory();
  // The kernels' own headers stand in for some of TensorFlow's that its C API does not come with.
  const folders = ['-I', join(directory, 'include'), '-I', join(stage, 'deps', 'include'), '-I', nodeHeaders()];
  const made: string[] = [];
  for (const name of SOURCES) {
    const object = join(build, `${name}.o`);
    await demand(run([...FLAGS, ...MODULE_FLAGS, ...folders, '-c', join(directory, `${name}.cc`), '-o', object]));
    made.push(object);
  }
  return made;
}

async function demand(fault: Promise<string | undefined>): Promise<void> {
  const found = await fault;
  if (found !== undefined) throw new Error(found);
}

/** What the compiler complains of; undefined when all went well. */
async function complaint(...use: Parameters<typeof runCompiler>): Promise<string | undefined> {
  const done = await runCompiler(...use);
  if ('missing' in done) return 'there is no C++ compiler';
  return done.result.end === 0 ? undefined : complaintOf(done.result);
}
