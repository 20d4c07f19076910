// Trains a small model for many steps on rows of ever other lengths, and watches memory: `pnpm bench soak [--steps 10000]`.
// Exit code 1 when the resident set or the JavaScript heap grows by more than 2 % after the first tenth, or tensors are
// left behind. The C library gives blocks of 64 KiB and more back as soon as they are free here: otherwise its own heap,
// cut up by buffers of ever other sizes, grows for thousands of steps before it settles, and hides what is looked for.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createTrainer, initialTrainerState, planBatches, preference, uniformOf } from '@metaapo/core';
import { selectBackend } from '@metaapo/engine';
import { simpo } from '@metaapo/losses';
import { loadLanguageModel, writeRandomModel } from '@metaapo/models';
import * as tf from '@tensorflow/tfjs';
import { median } from './train/measurement.js';

const { values: flags } = parseArgs({ options: { steps: { type: 'string', default: '10000' } } });
const steps = Number(flags.steps);
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' };
if (process.env.MALLOC_MMAP_THRESHOLD_ === undefined) {
  const again = spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...ALLOCATOR },
    stdio: 'inherit',
  });
  process.exit(again.status ?? 1);
}
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const SHAPE = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  vocab_size: 512,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 160,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 512,
  tie_word_embeddings: true,
};
const ROWS = 64;
const BATCH = 2;

const ids = (row: number, part: number): Int32Array => {
  const length = 4 + Math.floor(40 * uniformOf(['soak length', row, part]));
  return Int32Array.from({ length }, (_, index) => Math.floor(512 * uniformOf(['soak', row, part, index])));
};

const directory = await mkdtemp(join(tmpdir(), 'metaapo-soak-'));
try {
  const { reason } = await selectBackend();
  process.stdout.write(`${reason}\n`);
  await writeRandomModel(directory, SHAPE, 0);
  const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
  const model = await loadLanguageModel(directory, { optimizer });
  const rows = Array.from({ length: ROWS }, (_, row) => ({
    row,
    prompt: ids(row, 0),
    chosen: ids(row, 1),
    rejected: ids(row, 2),
  }));
  const epochs = Math.ceil((steps * BATCH) / ROWS);
  const objective = preference({ loss: simpo() });
  const trainer = createTrainer({
    model,
    objective,
    rows,
    plan: planBatches({ rowCount: ROWS, batchSize: BATCH, epochs, shuffle: true, seed: 0 }),
    schedule: { kind: 'constant', peak: 1e-5, warmupSteps: 0, totalSteps: steps, minRatio: 0 },
    optimizer: { ...optimizer, maxGradNorm: 1 },
    microBatchTokens: 4096,
    start: initialTrainerState(objective),
  });
  const every = Math.floor(steps / 10);
  const resident: number[] = [];
  const heap: number[] = [];
  const tensors: number[] = [];
  let seconds: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const { metrics } = await trainer.step();
    seconds.push(metrics['time/step_s']!);
    if (step % every !== 0) continue;
    collectGarbage();
    const { rss, heapUsed } = process.memoryUsage();
    resident.push(rss);
    heap.push(heapUsed);
    tensors.push(tf.memory().numTensors);
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    process.stdout.write(
      `step ${step}: ${mib(rss)} MiB resident, ${mib(heapUsed)} MiB of JavaScript, ${tensors.at(-1)} tensors, ` +
        `${(1000 * median(seconds)).toFixed(2)} ms a step\n`,
    );
    seconds = [];
  }
  model.dispose();
  const growthOf = (bytes: readonly number[]): number => bytes.at(-1)! / bytes[0]! - 1;
  const isSteady = growthOf(resident) <= 0.02 && growthOf(heap) <= 0.02 && new Set(tensors).size === 1;
  const percent = (bytes: readonly number[]): string => `${(100 * growthOf(bytes)).toFixed(2)} %`;
  process.stdout.write(
    `growth after the first tenth: resident ${percent(resident)}, JavaScript ${percent(heap)}; ` +
      `${tf.memory().numTensors} tensors after the model\n`,
  );
  process.exitCode = isSteady ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
