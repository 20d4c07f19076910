// Times a DPO step, ours and PyTorch's, one after the other on the same rows:
//   pnpm bench train [--shapes S,M,R] [--steps 5] [--python python3] [--model DIR --data FILE]   (R needs model and data)
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Measurement, median } from './train/measurement.js';
import { type BenchRows, prepareRandom, prepareReal, type Workload } from './train/prepare.js';

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'S,M' },
    steps: { type: 'string', default: '5' },
    python: { type: 'string', default: 'python3' },
    model: { type: 'string' },
    data: { type: 'string' },
    executors: { type: 'string', default: 'eager,compiled' },
    precisions: { type: 'string', default: 'float32' },
  },
});

const here = fileURLToPath(new URL('.', import.meta.url));
const tsx = join(here, '..', 'node_modules', '.bin', 'tsx');

function measure(command: string, script: string, request: Readonly<Record<string, unknown>>): Measurement {
  const result = spawnSync(command, [join(here, script), JSON.stringify(request)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const line = result.stdout.trim().split('\n').at(-1);
  if (result.status !== 0 || !line) throw new Error(`${command} ${script} failed:\n${result.stderr.slice(-2000)}`);
  return JSON.parse(line) as Measurement;
}

/** Tokens of a padded batch without its padding: the prompt once a response. */
function tokensOf(rows: BenchRows): number {
  return rows.reduce(
    (sum, { prompt, responses }) => sum + responses.reduce((inner, { length }) => inner + prompt.length + length, 0),
    0,
  );
}

async function prepare(shape: string, directory: string): Promise<Workload> {
  if (shape !== 'R') return prepareRandom(shape, 2, directory);
  if (flags.model === undefined || flags.data === undefined)
    throw new Error('Shape R needs --model DIR and --data FILE');
  return prepareReal(flags.model, flags.data, 32, 256, directory);
}

const executorsFor = (precision: string): readonly string[] =>
  flags.executors.split(',').filter((executor) => executor === 'compiled' || precision === 'float32');
const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(2);
const directory = await mkdtemp(join(tmpdir(), 'metaapo-bench-'));
try {
  process.stdout.write(
    '| shape | side | s/step | tokens/s | peak GiB | startup s | loss | grad norm | speed ratio | memory ratio |\n',
  );
  process.stdout.write('|---|---|---|---|---|---|---|---|---|---|\n');
  for (const shape of flags.shapes.split(',')) {
    const workload = await prepare(shape, directory);
    const tokens = tokensOf(JSON.parse(await readFile(workload.rows, 'utf8')) as BenchRows);
    const common = { model: workload.model, rows: workload.rows, steps: Number(flags.steps) };
    for (const precision of flags.precisions.split(',')) {
      const peer = measure(flags.python, 'peers/torch_train.py', { ...common, precision, micro_pairs: 8 });
      const ours = executorsFor(precision).map((executor) => {
        const request = { ...common, precision, executor, microBatchTokens: 8 * 384 };
        return [`ours, ${executor}`, measure(tsx, 'train/ours.ts', request)] as const;
      });
      for (const [side, it] of [['PyTorch', peer] as const, ...ours]) {
        const step = median(it.seconds);
        const ratios =
          it !== peer
            ? [(median(peer.seconds) / step).toFixed(2), (it.peakBytes / peer.peakBytes).toFixed(2)]
            : ['', ''];
        const cells = [
          `${shape} ${precision}`,
          side,
          step.toFixed(3),
          (tokens / step).toFixed(0),
          gib(it.peakBytes),
          it.startup.toFixed(1),
          it.loss.toFixed(5),
          it.gradNorm.toFixed(4),
          ...ratios,
        ];
        process.stdout.write(`| ${cells.join(' | ')} |\n`);
      }
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
