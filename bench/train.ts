// Times a training step, ours and PyTorch's, by turns on the same rows:
//   pnpm bench train [--shapes S,M,Q,P,L,R] [--workloads pairs,quadruples,lora] [--precisions float32,bfloat16] [--rounds 2]
//                    [--executors eager,compiled,xla] [--steps 5] [--python python3] [--compile] [--model DIR --data FILE]
// P has rows of 2048 tokens, L of 8192. R is a real model on real rows: it needs --model and --data, and is measured by default where they are given. --compile
// adds a row for torch.compile.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inspectSystem } from '@metaapo/engine';
import { compileSide, runByTurns, runSide } from './run-side.js';
import { fastest, type Measurement, mergeRounds } from './train/measurement.js';
import { type BenchRows, prepareRandom, prepareReal, type Workload } from './train/prepare.js';
import { type BenchShape, SHAPES } from './train/shapes.js';
import { type Work, workOf } from './train/work.js';

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string' },
    workloads: { type: 'string', default: 'pairs' },
    precisions: { type: 'string', default: 'float32,bfloat16' },
    executors: { type: 'string', default: 'compiled' },
    steps: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '2' },
    python: { type: 'string', default: 'python3' },
    compile: { type: 'boolean', default: false },
    model: { type: 'string' },
    data: { type: 'string' },
  },
});

const NOTES = `
s/step: the fastest of ${flags.steps} steps in the quickest and in the slowest of ${flags.rounds} rounds, a process each; the sides take turns.
Other work on the machine only ever adds time, to both sides, so all else is of the quickest round. tokens/s: tokens as the
peer counts them, a prompt once a response, without padding. speed and memory: ours over PyTorch's, and our peak over its peak; the peak is the largest resident set of the whole process, loading included.
We compute a prompt once for all its responses, logits of response tokens only, and no padding; PyTorch (transformers,
AdamW fused, autocast for bfloat16) pads, repeats the prompt and computes all logits, as trainers built on it do.
equal work: the ratio of floating-point operations a second, each side's own matrix products counted.
torch.compile: the same model compiled; its speed and memory are over those of PyTorch without it.
of peak: share of the rate that a large product reaches on this machine. lora: rank 16 on all linear modules.
quadruples: four responses on one prompt, half of the offline and half of the online pair's loss.
start s: from the process' start to the end of its first step, references included.`;

const LORA_RANK = 16;
const ours = compileSide('train/ours.ts');

/** R has two responses a row. */
const workloadsOf = (shape: string): readonly string[] =>
  flags.workloads.split(',').filter((kind) => shape !== 'R' || kind !== 'quadruples');

/** Tokens of a padded batch without its padding: the prompt once a response. */
function tokensOf(rows: BenchRows): number {
  return rows.reduce(
    (sum, { prompt, responses }) => sum + responses.reduce((inner, { length }) => inner + prompt.length + length, 0),
    0,
  );
}

async function prepare(shape: string, responses: number, directory: string): Promise<Workload> {
  if (shape !== 'R') return prepareRandom(shape, responses, directory);
  if (flags.model === undefined || flags.data === undefined)
    throw new Error('Shape R needs --model DIR and --data FILE');
  return prepareReal(flags.model, flags.data, 32, 256, directory);
}

/** The rate of a large matrix product on this machine, in FLOP/s, by precision. */
async function measurePeak(): Promise<Readonly<Record<string, number>>> {
  const { backends } = await inspectSystem({ budgetMs: 3000 });
  const rates = backends.map(({ measured }) => measured?.matmulGflops);
  const best = (precision: 'float32' | 'bfloat16'): number =>
    1e9 * Math.max(0, ...rates.map((rate) => rate?.[precision] ?? 0));
  return { float32: best('float32'), bfloat16: best('bfloat16') };
}

interface Line {
  /** The fastest step of each round. */
  readonly rounds: readonly number[];
  readonly name: string;
  readonly side: string;
  readonly measurement: Measurement;
  readonly flops: number;
  readonly tokens: number;
  readonly peakRate: number;
  readonly peer?: { readonly measurement: Measurement; readonly flops: number };
}

function cellsOf({ name, side, rounds, measurement, flops, tokens, peakRate, peer }: Line): readonly string[] {
  const step = fastest(measurement.seconds);
  const ratios = (against: NonNullable<typeof peer>): readonly string[] => {
    const speed = fastest(against.measurement.seconds) / step;
    const memory = measurement.peakBytes / against.measurement.peakBytes;
    return [speed.toFixed(2), memory.toFixed(2), ((speed * flops) / against.flops).toFixed(2)];
  };
  return [
    name,
    side,
    `${step.toFixed(3)} to ${Math.max(...rounds).toFixed(3)}`,
    (tokens / step).toFixed(0),
    (measurement.peakBytes / 2 ** 30).toFixed(2),
    (flops / step / 1e9).toFixed(0),
    `${((100 * flops) / step / peakRate).toFixed(0)} %`,
    measurement.startup.toFixed(1),
    measurement.loss.toFixed(5),
    measurement.gradNorm.toFixed(3),
    ...(peer === undefined ? ['', '', ''] : ratios(peer)),
  ];
}

const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

/** What is measured of a workload, by the name in the table; undefined where torch.compile does not work. */
function sidesOf(
  shape: string,
  request: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, () => Measurement | undefined> {
  const { peerPairs = 8, microBatchTokens = 8 * 384, longestRow }: Partial<BenchShape> = SHAPES[shape] ?? {};
  const askPeer = (compile: boolean): Measurement =>
    runSide(flags.python, 'peers/torch_train.py', { ...request, micro_pairs: peerPairs, compile });
  const sides = new Map<string, () => Measurement | undefined>([['PyTorch', () => askPeer(false)]]);
  if (flags.compile) sides.set('torch.compile', () => unlessItFails(() => askPeer(true)));
  for (const executor of flags.executors.split(',')) {
    if (executor === 'eager' && request.precision === 'bfloat16') continue;
    const own = { ...request, executor, microBatchTokens, longestRow };
    sides.set(`ours, ${executor}`, () => runSide(process.execPath, ours, own));
  }
  return sides;
}

function unlessItFails(measure: () => Measurement): Measurement | undefined {
  try {
    return measure();
  } catch (error) {
    process.stderr.write(`torch.compile failed: ${(error as Error).message.trim()}\n`);
    return undefined;
  }
}

async function runWorkload(
  shape: string,
  kind: string,
  directory: string,
  peaks: Awaited<ReturnType<typeof measurePeak>>,
) {
  const workload = await prepare(shape, kind === 'quadruples' ? 4 : 2, directory);
  const rows = JSON.parse(await readFile(workload.rows, 'utf8')) as BenchRows;
  const work: Work = await workOf(workload.model, rows, kind === 'lora');
  const common = {
    model: workload.model,
    rows: workload.rows,
    steps: Number(flags.steps),
    loraRank: kind === 'lora' ? LORA_RANK : 0,
  };
  for (const precision of flags.precisions.split(',')) {
    const name = `${shape} ${kind} ${precision}`;
    const shared = { name, tokens: tokensOf(rows), peakRate: peaks[precision]! };
    const measured = runByTurns(sidesOf(shape, { ...common, precision }), Number(flags.rounds));
    const peer = { measurement: mergeRounds(measured.get('PyTorch')!), flops: work.peer };
    for (const [side, measurements] of measured) {
      const isOurs = side.startsWith('ours');
      const rounds = measurements.map(({ seconds }) => fastest(seconds));
      const flops = isOurs ? work.ours : work.peer;
      const line = { ...shared, side, rounds, measurement: mergeRounds(measurements), flops };
      print(cellsOf(side === 'PyTorch' ? line : { ...line, peer }));
    }
  }
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  const peaks = await measurePeak();
  const [narrow, wide] = [peaks.bfloat16!, peaks.float32!].map((rate) => (rate / 1e9).toFixed(0));
  process.stdout.write(`A large product: ${wide} GFLOP/s in float32, ${narrow} in bfloat16.\n\n`);
  const titles = ['workload', 'side', 's/step', 'tokens/s', 'peak GiB', 'GFLOP/s', 'of peak', 'start s', 'loss'];
  print([...titles, 'grad norm', 'speed', 'memory', 'equal work']);
  print(Array.from({ length: 13 }, () => '---'));
  const isReal = flags.model !== undefined && flags.data !== undefined;
  for (const shape of (flags.shapes ?? (isReal ? 'S,M,R' : 'S,M')).split(',')) {
    for (const kind of workloadsOf(shape)) await runWorkload(shape, kind, directory, peaks);
  }
  process.stdout.write(`${NOTES}\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
