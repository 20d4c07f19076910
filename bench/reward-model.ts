// Fine-tunes a language model with `metaapo sft`, trains a Bradley-Terry reward model from it, with `metaapo train-reward`
// and with PyTorch, one after the other from the same weights on the same batches, and compares held-out accuracy and time:
//   pnpm bench reward-model --model DIR --data DIR [--seeds 0] [--batch 16] [--max-length 384] [--lr 3e-4] [--sft-lr 1e-4]
//                           [--micro-pairs 16] [--python python3] [--quick]
// --data holds train_prefs.parquet and test_prefs.parquet. --micro-pairs: pairs that the peer computes at a time.
// --quick: 64 training rows, to see that everything works.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { selectBackend } from '@metaapo/engine';
import { bradleyTerry, catalogue } from '@metaapo/losses';
import { fineTune, trainOurs } from './reward-model/ours.js';
import { trainPeer } from './reward-model/peer.js';
import { FIXED, type Outcome, tokenize, type Workload, writeStart } from './reward-model/workload.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    seeds: { type: 'string', default: '0' },
    batch: { type: 'string', default: '16' },
    'max-length': { type: 'string', default: '384' },
    lr: { type: 'string', default: '3e-4' },
    'sft-lr': { type: 'string', default: '1e-4' },
    'micro-pairs': { type: 'string', default: '16' },
    python: { type: 'string', default: 'python3' },
    quick: { type: 'boolean', default: false },
  },
});
if (flags.model === undefined || flags.data === undefined) throw new Error('Give --model DIR and --data DIR');
const common: Omit<Workload, 'seed'> = {
  model: flags.model,
  train: join(flags.data, 'train_prefs.parquet'),
  eval: join(flags.data, 'test_prefs.parquet'),
  maxRows: flags.quick ? 64 : undefined,
  maxLength: Number(flags['max-length']),
  batchSize: Number(flags.batch),
  learningRate: Number(flags.lr),
};

const reward = bradleyTerry();
const { formula } = catalogue.find(({ id }) => id === reward.id)!;
const NOTES = `one epoch of batches of ${common.batchSize}, at most ${common.maxLength} tokens, learning rate ${flags.lr} (linear,
${100 * FIXED.warmupRatio} % warm-up), float32. Loss: ${formula}, m ${reward.options.margin}, p ${reward.options.centerPenalty}. 95 % interval: Wilson's, of the accuracy.
Both sides start from the same weights, head included, and take the same batches at the same learning rates; the token
ids are compared. first loss: of the first batch; equal ones tell that both compute the same. last 10: mean of the last
ten batches. Training drifts apart as sums are rounded in another order.
train s: all optimizer steps. whole s: the process from start to end: imports, reading and tokenising the data, two
evaluations, and for ours saving the model and a report. Speeds: PyTorch's seconds over ours.
PyTorch (AutoModelForSequenceClassification, AdamW fused) pads and repeats the prompt; ours computes it once a pair.
`;

/** The 95 % interval of a share (Wilson's). */
function intervalOf(share: number, count: number): string {
  const z = 1.96;
  const scale = 1 + z ** 2 / count;
  const centre = (share + z ** 2 / (2 * count)) / scale;
  const half = (z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2))) / scale;
  return `${(centre - half).toFixed(3)} to ${(centre + half).toFixed(3)}`;
}

const tunings: string[] = [];
const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

function cellsOf(seed: number, side: string, outcome: Outcome, pairs: number, other?: Outcome): readonly string[] {
  const { before, after, losses, trainSeconds, wholeSeconds } = outcome;
  const last = losses.slice(-10);
  return [
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
  ];
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  await selectBackend();
  const trainRows = (await tokenize(common, common.train)).slice(0, common.maxRows);
  const heldRows = await tokenize(common, common.eval);
  const titles = ['seed', 'side', 'before', 'accuracy', '95 % interval', 'held-out loss', 'first loss', 'last 10'];
  print([...titles, 'train s', 'whole s', 'train speed', 'whole speed']);
  print(Array.from({ length: 12 }, () => '---'));
  for (const seed of flags.seeds.split(',').map(Number)) {
    const tuned = await fineTune({ ...common, seed }, Number(flags['sft-lr']), join(directory, `sft-${seed}`));
    tunings.push(`seed ${seed}: ${tuned.before.toFixed(3)} before, ${tuned.after.toFixed(3)} after`);
    const workload = { ...common, model: tuned.model, seed };
    const start = join(directory, `start-${seed}`);
    await writeStart(workload, start);
    const microPairs = Number(flags['micro-pairs']);
    const them = trainPeer(workload, { python: flags.python, start, microPairs, trainRows, heldRows });
    print(cellsOf(seed, 'PyTorch', them, heldRows.length));
    const us = await trainOurs(workload, join(directory, `run-${seed}`));
    print(cellsOf(seed, 'ours', us, heldRows.length, them));
  }
  process.stdout.write(`\n${trainRows.length} training and ${heldRows.length} held-out pairs; ${NOTES}`);
  process.stdout.write(`metaapo sft on the chosen responses, held-out loss a token: ${tunings.join('; ')}\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
