// Times a start, ours and PyTorch's, by turns: from the process' begin to the end of the first training step:
//   pnpm bench start [--shapes S,M,Q] [--precisions float32,bfloat16] [--rounds 3] [--python python3]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compileSide, runByTurns, runSide } from './run-side.js';
import type { Measurement } from './train/measurement.js';
import { prepareRandom } from './train/prepare.js';

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'S,M,Q' },
    precisions: { type: 'string', default: 'float32' },
    rounds: { type: 'string', default: '3' },
    python: { type: 'string', default: 'python3' },
  },
});

const NOTES = `
start s: from the process' begin to the end of the first step: imports, weights, the reference's log-probabilities of the rows and one
step of AdamW; the quickest and the slowest of ${flags.rounds} rounds, a process each, the sides by turns. work s: processor seconds of
all threads in the quickest one, which other work on the machine lengthens less. Ratios: ours over PyTorch's, the quickest of each.`;

const ours = compileSide('train/ours.ts');
const print = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

interface Start {
  readonly quickest: number;
  readonly slowest: number;
  readonly work: number;
}

function startOf(rounds: readonly Measurement[]): Start {
  const sorted = rounds.toSorted((a, b) => a.startup - b.startup);
  return { quickest: sorted[0]!.startup, slowest: sorted.at(-1)!.startup, work: sorted[0]!.startupWork };
}

async function runShape(shape: string, directory: string): Promise<void> {
  const workload = await prepareRandom(shape, 2, directory);
  for (const precision of flags.precisions.split(',')) {
    const request = { model: workload.model, rows: workload.rows, steps: 0, loraRank: 0, precision };
    const sides = new Map<string, () => Measurement>([
      ['PyTorch', () => runSide(flags.python, 'peers/torch_train.py', { ...request, micro_pairs: 8 })],
      ['ours', () => runSide(process.execPath, ours, { ...request, executor: 'compiled', microBatchTokens: 8 * 384 })],
    ]);
    const measured = runByTurns(sides, Number(flags.rounds));
    const peer = startOf(measured.get('PyTorch')!);
    for (const [side, rounds] of measured) {
      const { quickest, slowest, work } = startOf(rounds);
      const ratios = [quickest / peer.quickest, work / peer.work].map((ratio) => ratio.toFixed(2));
      const seconds = [`${quickest.toFixed(1)} to ${slowest.toFixed(1)}`, work.toFixed(1)];
      print([`${shape} ${precision}`, side, ...seconds, ...(side === 'ours' ? ratios : ['', ''])]);
    }
  }
}

const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  print(['workload', 'side', 'start s', 'work s', 'start', 'work']);
  print(Array.from({ length: 6 }, () => '---'));
  for (const shape of flags.shapes.split(',')) await runShape(shape, directory);
  process.stdout.write(`${NOTES}\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}
