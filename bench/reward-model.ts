// Trains a Bradley-Terry reward model from a language model, with `metaapo train-reward` and with PyTorch, one after the
// other from the same weights on the same batches, and compares held-out accuracy and time:
//   pnpm bench reward-model --model DIR --data DIR [--seeds 0] [--batch 16] [--max-length 384] [--lr 3e-4]
//                           [--micro-pairs 16] [--python python3] [--quick]
// --data holds train_prefs.parquet and test_prefs.parquet. --micro-pairs: pairs that the peer computes at a time.
// --quick: 64 training rows, to see that everything works.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { learningRateAt, planBatches, RUN_FILES, readMetrics, type Schedule } from '@metaapo/core';
import type { TokenizedPreference } from '@metaapo/core/contracts';
import { readPreferences, tokenizePreferences } from '@metaapo/data';
import { selectBackend } from '@metaapo/engine';
import { bradleyTerry } from '@metaapo/losses';
import { loadLanguageModel, loadTokenizer } from '@metaapo/models';
import { runSide } from './run-side.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    seeds: { type: 'string', default: '0' },
    batch: { type: 'string', default: '16' },
    'max-length': { type: 'string', default: '384' },
    lr: { type: 'string', default: '3e-4' },
    'micro-pairs': { type: 'string', default: '16' },
    python: { type: 'string', default: 'python3' },
    quick: { type: 'boolean', default: false },
  },
});
if (flags.model === undefined || flags.data === undefined) throw new Error('Give --model DIR and --data DIR');
const { model, data } = flags;
const files = { train: join(data, 'train_prefs.parquet'), eval: join(data, 'test_prefs.parquet') };
const maxLength = Number(flags['max-length']);
const batchSize = Number(flags.batch);
const maxRows = flags.quick ? 64 : undefined;
const ADAM = { adamBetas: [0.9, 0.95], adamEpsilon: 1e-8, maxGradNorm: 1 } as const;
const WARMUP_RATIO = 0.03;
const { centerPenalty } = bradleyTerry().options;
const bin = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'packages', 'cli', 'bin', 'metaapo.js');

/** Accuracy and mean loss of held-out pairs. */
interface Evaluation {
  readonly accuracy: number;
  readonly loss: number;
}

/** What one side's training came to. */
interface Outcome {
  readonly before: Evaluation;
  readonly after: Evaluation;
  /** Mean loss of each batch. */
  readonly losses: readonly number[];
  /** Seconds of all optimizer steps. */
  readonly trainSeconds: number;
  /** Seconds of the whole process. */
  readonly wholeSeconds: number;
}

async function tokenize(file: string): Promise<readonly TokenizedPreference[]> {
  const tokenizer = await loadTokenizer(model);
  return (await tokenizePreferences(readPreferences([file]), tokenizer, { maxLength, longPrompt: 'drop' })).rows;
}

/** A key of the token ids of all conversations, as the peer computes it. */
function digestOf(rows: readonly TokenizedPreference[]): string {
  const hash = createHash('sha256');
  for (const { prompt, chosen, rejected } of rows) {
    for (const response of [chosen, rejected]) {
      const ids = Int32Array.of(prompt.length + response.length, ...prompt, ...response);
      hash.update(new Uint8Array(ids.buffer));
    }
  }
  return hash.digest('hex');
}

async function ours(seed: number, output: string): Promise<Outcome> {
  const recipe = {
    model,
    data: { ...files, maxLength, longPrompt: 'drop', ...(maxRows !== undefined && { maxRows }) },
    training: {
      ...ADAM,
      batchSize,
      epochs: 1,
      learningRate: Number(flags.lr),
      schedule: 'linear',
      warmupRatio: WARMUP_RATIO,
      seed,
    },
    output,
  };
  const file = `${output}.json`;
  await writeFile(file, JSON.stringify(recipe));
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [bin, 'train-reward', file], { encoding: 'utf8' });
  const wholeSeconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`train-reward failed:\n${stderr.slice(-2000)}`);
  const lines = await readMetrics(join(output, RUN_FILES.metrics));
  const steps = lines.filter(({ loss }) => loss !== undefined);
  const evaluated = lines
    .filter(({ eval_loss }) => eval_loss !== undefined)
    .map((line): Evaluation => ({ accuracy: line['eval_rewards/accuracies']!, loss: line.eval_loss! }));
  return {
    before: evaluated.at(0)!,
    after: evaluated.at(-1)!,
    losses: steps.map(({ loss }) => loss!),
    trainSeconds: steps.reduce((sum, line) => sum + line['time/step_s']!, 0),
    wholeSeconds,
  };
}

/** The model with the head that a training of this seed begins with. */
async function writeStart(seed: number, directory: string): Promise<void> {
  const start = await loadLanguageModel(model, { newHead: { seed } });
  await start.save(directory);
  start.dispose();
}

function peer(
  seed: number,
  start: string,
  rows: { readonly train: readonly TokenizedPreference[]; readonly held: readonly TokenizedPreference[] },
): Outcome {
  const plan = planBatches({ rowCount: rows.train.length, batchSize, epochs: 1, shuffle: true, seed });
  const { totalSteps } = plan;
  const warmupSteps = Math.ceil(WARMUP_RATIO * totalSteps);
  const schedule: Schedule = { kind: 'linear', peak: Number(flags.lr), warmupSteps, totalSteps, minRatio: 0 };
  const steps = Array.from({ length: totalSteps }, (_, step) => step);
  const request = {
    ...ADAM,
    ...files,
    model,
    start,
    maxLength,
    rows: rows.train.length,
    microPairs: Number(flags['micro-pairs']),
    centerPenalty,
    batches: steps.map((step) => [...plan.rowsAt(step)]),
    learningRates: steps.map((step) => learningRateAt(schedule, step)),
    digests: { train: digestOf(rows.train), eval: digestOf(rows.held) },
  };
  const started = performance.now();
  const report = runSide<Omit<Outcome, 'wholeSeconds'>>(flags.python, 'peers/torch_reward_model.py', request);
  return { ...report, wholeSeconds: (performance.now() - started) / 1000 };
}

/** The 95 % interval of a share (Wilson's). */
function intervalOf(share: number, count: number): string {
  const z = 1.96;
  const scale = 1 + z ** 2 / count;
  const centre = (share + z ** 2 / (2 * count)) / scale;
  const half = (z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2))) / scale;
  return `${(centre - half).toFixed(3)} to ${(centre + half).toFixed(3)}`;
}

const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

function printOutcome(seed: number, side: string, outcome: Outcome, pairs: number, other?: Outcome): void {
  const { before, after, losses, trainSeconds, wholeSeconds } = outcome;
  const last = losses.slice(-10);
  print([
    String(seed),
    side,
    before.accuracy.toFixed(3),
    after.accuracy.toFixed(3),
    intervalOf(after.accuracy, pairs),
    after.loss.toFixed(4),
    losses[0]!.toFixed(5),
    (last.reduce((sum, loss) => sum + loss, 0) / last.length).toFixed(4),
    trainSeconds.toFixed(1),
    wholeSeconds.toFixed(1),
    other === undefined ? '' : (other.trainSeconds / trainSeconds).toFixed(2),
    other === undefined ? '' : (other.wholeSeconds / wholeSeconds).toFixed(2),
  ]);
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  await selectBackend();
  const rows = { train: (await tokenize(files.train)).slice(0, maxRows), held: await tokenize(files.eval) };
  const titles = ['seed', 'side', 'before', 'accuracy', '95 % interval', 'held-out loss', 'first loss', 'last 10'];
  print([...titles, 'train s', 'whole s', 'train speed', 'whole speed']);
  print(Array.from({ length: 12 }, () => '---'));
  for (const seed of flags.seeds.split(',').map(Number)) {
    const start = join(directory, `start-${seed}`);
    await writeStart(seed, start);
    const them = peer(seed, start, rows);
    printOutcome(seed, 'PyTorch', them, rows.held.length);
    printOutcome(seed, 'ours', await ours(seed, join(directory, `run-${seed}`)), rows.held.length, them);
  }
  process.stdout.write(`
${rows.train.length} training pairs, one epoch of batches of ${batchSize}, at most ${maxLength} tokens, learning rate ${flags.lr} (linear, ${100 * WARMUP_RATIO} % warm-up),
float32; ${rows.held.length} held-out pairs, with Wilson's interval of their accuracy. Loss: softplus(-(c - j)) + ${centerPenalty} (c + j)^2.
Both sides start from the same weights, head included, and take the same batches; the token ids are compared, and the
first loss tells whether they compute the same. Later ones drift apart, as sums are rounded in another order.
train s: all optimizer steps. whole s: the process from start to end: imports, reading and tokenising the data, two
evaluations, and for ours saving the model and a report. Speeds: PyTorch's seconds over ours.
PyTorch (AutoModelForSequenceClassification, AdamW fused) pads and repeats the prompt; ours computes it once a pair.
`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
