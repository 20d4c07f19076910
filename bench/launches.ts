// Counts, without a GPU, what a training step and a token of generation start on a device, with the executor `compiled` and with
// `xla`; and, from the dump of XLA's CPU compiler, what it compiles for one step and the memory that it plans:
//   pnpm bench launches [--shapes S,M,Q] [--dump S]
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countLaunches } from '@metaapo/engine';
import {
  languageModelPrograms,
  openCheckpoint,
  type ParameterDeclaration,
  passForm,
  readModelConfig,
} from '@metaapo/models';
import { compileSide, runSide } from './run-side.js';
import { fastest, type Measurement } from './train/measurement.js';
import { prepareRandom } from './train/prepare.js';

const { values: flags } = parseArgs({
  options: { shapes: { type: 'string', default: 'S,M' }, dump: { type: 'string', default: 'S' } },
});

const STEP = ['forward', 'head', 'headBackward', 'backward', 'gradientNorm', 'apply'];
const NOTES = `
operations: those that compute in a run of the program, each started by itself. launches: computations of XLA and what stands outside of
them. A step: one micro-batch, one chunk of logits. A launch is as many kernels as XLA makes of its computation.`;

const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const print = (cells: readonly (string | number)[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

async function countShape(shape: string, directory: string): Promise<void> {
  const { model } = await prepareRandom(shape, 2, directory);
  const config = await readModelConfig(model);
  const checkpoint = await openCheckpoint(model);
  const parameters = new Map(
    [...checkpoint.shapes].map(([name, shape]): [string, ParameterDeclaration] => [
      name,
      { name, shape, isTrainable: true, dtype: 'float32' },
    ]),
  );
  await checkpoint.close();
  const counts = (['compiled', 'xla'] as const).map((executor) => {
    const shared = { parameters, adapters: new Map(), precision: 'bfloat16', checkpoint: 'matmul-outputs' } as const;
    const programs = { config: { ...config, ...passForm(executor) }, ...shared, optimizer, cachedTokens: 4096 };
    return countLaunches(languageModelPrograms(programs), executor);
  });
  const [before, after] = counts as [(typeof counts)[number], (typeof counts)[number]];
  const sum = (of: Readonly<Record<string, number>>): number => STEP.reduce((total, name) => total + of[name]!, 0);
  for (const name of [...STEP, 'prefill', 'decode']) print([shape, name, before[name]!, after[name]!]);
  print([shape, 'a step', sum(before), sum(after)]);
}

/** What XLA planned for the modules that it compiled, in bytes. */
interface PlannedMemory {
  readonly modules: number;
  /** Most temporary memory of a module. */
  readonly temporary: number;
  /** Most memory of a module with its arguments and results. */
  readonly whole: number;
  /** Modules that write results into the memory of their arguments. */
  readonly inPlace: number;
}

async function readDump(dump: string): Promise<PlannedMemory> {
  const files = (await readdir(dump)).filter((name) => name.endsWith('after_optimizations-buffer-assignment.txt'));
  const plans = await Promise.all(files.map((name) => readFile(join(dump, name), 'utf8')));
  const sizes = plans.map((plan) => [...plan.matchAll(/^allocation \d+: size (\d+), (.*)$/gm)]);
  const sumOf = (allocations: (typeof sizes)[number], isMeant: (what: string) => boolean): number =>
    allocations.reduce((sum, [, size, what]) => (isMeant(what!) ? sum + Number(size) : sum), 0);
  const isInPlace = (what: string): boolean => what.startsWith('parameter') && what.includes('maybe-live-out');
  return {
    modules: files.length,
    temporary: Math.max(...sizes.map((all) => sumOf(all, (what) => what.startsWith('preallocated-temp')))),
    whole: Math.max(...sizes.map((all) => sumOf(all, () => true))),
    inPlace: sizes.filter((all) => all.some(([, , what]) => isInPlace(what!))).length,
  };
}

async function dumpStep(shape: string, directory: string): Promise<void> {
  const { model, rows } = await prepareRandom(shape, 2, directory);
  const dump = join(directory, `dump-${shape}`);
  process.env.XLA_FLAGS = `--xla_dump_to=${dump} ${process.env.XLA_FLAGS ?? ''}`.trim();
  const request = { model, rows, steps: 2, loraRank: 0, precision: 'float32', microBatchTokens: 8 * 384 };
  const measure = (executor: string) =>
    runSide<Measurement>(process.execPath, compileSide('train/ours.ts'), { ...request, executor });
  const compiled = measure('compiled');
  const xla = measure('xla');
  const { modules, temporary, whole, inPlace } = await readDump(dump);
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const [own, other] = [xla, compiled].map(
    ({ loss, gradNorm, seconds, peakBytes }) =>
      `loss ${loss.toFixed(6)}, gradient norm ${gradNorm.toFixed(4)}, ${fastest(seconds).toFixed(3)} s a step, peak of the process ${mib(peakBytes)} MiB`,
  );
  process.stdout.write(`
${shape} in float32, 3 steps on this CPU. Counted by us: ${xla.compilations} computations, in runs of ${xla.compilingSeconds?.toFixed(1)} s (one of
them to see whether XLA works). In its dump: ${modules} modules; most temporary memory of one ${mib(temporary)} MiB, most memory of one with
arguments and results ${mib(whole)} MiB; ${inPlace} of them write results into the memory of arguments.
xla: ${own}
compiled: ${other}
`);
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  print(['shape', 'program', 'operations', 'launches']);
  print(['---', '---', '---', '---']);
  for (const shape of flags.shapes.split(',')) await countShape(shape, directory);
  process.stdout.write(`${NOTES}\n`);
  if (flags.dump !== '') for (const shape of flags.dump.split(',')) await dumpStep(shape, directory);
} finally {
  await rm(directory, { recursive: true, force: true });
}
