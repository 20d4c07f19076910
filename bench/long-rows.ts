// Trains on rows of 8192 tokens, and with a vocabulary of 152 064, and prints the peak of memory:
//   pnpm bench long-rows [--steps 1] [--precisions float32,bfloat16]
// Exit code 1 when a peak is above its bound.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compileSide, runSide } from './run-side.js';
import { type Measurement, median } from './train/measurement.js';
import { prepareRandom } from './train/prepare.js';

const { values: flags } = parseArgs({
  options: {
    steps: { type: 'string', default: '1' },
    precisions: { type: 'string', default: 'float32,bfloat16' },
  },
});
/** Most GiB that a shape may take. */
const BOUNDS: Readonly<Record<string, number>> = { L: 8, V: 6 };
const ours = compileSide('train/ours.ts');

const directory = await mkdtemp(join(tmpdir(), 'metaapo-long-'));
try {
  process.stdout.write('| shape | precision | peak GiB | bound | step s | loss |\n|---|---|---|---|---|---|\n');
  for (const shape of Object.keys(BOUNDS)) {
    const { model, rows, summary } = await prepareRandom(shape, 2, directory);
    for (const precision of flags.precisions.split(',')) {
      const request = {
        model,
        rows,
        precision,
        steps: Number(flags.steps),
        executor: 'compiled',
        loraRank: 0,
        microBatchTokens: 16_384,
        longestRow: 8192,
      };
      const measured = runSide<Measurement>(process.execPath, ours, request);
      const peak = measured.peakBytes / 2 ** 30;
      if (peak > BOUNDS[shape]!) process.exitCode = 1;
      const numbers = [peak.toFixed(2), BOUNDS[shape], median(measured.seconds).toFixed(1), measured.loss.toFixed(4)];
      process.stdout.write(`| ${[summary, precision, ...numbers].join(' | ')} |\n`);
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
