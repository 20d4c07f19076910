// One side of `pnpm bench train`: takes a request as JSON, prints a Measurement as its last line.
import { readFile } from 'node:fs/promises';
import { createTrainer, initialTrainerState, preference, referenceLogprobs } from '@metaapo/core';
import { type Executor, peakMemory, selectBackend, xlaCompilations } from '@metaapo/engine';
import { dpo } from '@metaapo/losses';
import { constant } from '@metaapo/meta-learners';
import { ALL_LINEAR, loadLanguageModel } from '@metaapo/models';
import type { Measurement } from './measurement.js';
import type { BenchRows } from './prepare.js';

const request = JSON.parse(process.argv[2]!) as {
  readonly model: string;
  readonly rows: string;
  readonly steps: number;
  readonly precision: 'float32' | 'bfloat16';
  readonly executor: Executor;
  /** Rank of the adapter that is trained instead of the model; 0: none. */
  readonly loraRank: number;
  readonly microBatchTokens: number;
  /** Tokens of the longest row; absent: the default. */
  readonly longestRow?: number;
};

const backend = await selectBackend();
process.stderr.write(`${backend.reason}\n`);
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const { precision, executor, loraRank } = request;
const lora = { rank: loraRank, alpha: 2 * loraRank, targetModules: ALL_LINEAR, useRslora: false, seed: 0 };
const model = await loadLanguageModel(request.model, {
  optimizer,
  precision,
  executor,
  longestRow: request.longestRow,
  ...(loraRank > 0 && { lora }),
});
const rows = (JSON.parse(await readFile(request.rows, 'utf8')) as BenchRows).map(({ prompt, responses }, row) => ({
  row,
  prompt: Int32Array.from(prompt),
  chosen: Int32Array.from(responses[0]!),
  rejected: Int32Array.from(responses[1]!),
  ...(responses.length === 4 && {
    online: [{ chosen: Int32Array.from(responses[2]!), rejected: Int32Array.from(responses[3]!) }],
  }),
}));
const { microBatchTokens } = request;
const reference = await referenceLogprobs({ model, rows, microBatchTokens });
const steps = request.steps + 1;
const everyRow = Int32Array.from(rows, (_, index) => index);
const isQuadruple = rows[0]?.online !== undefined;
const objective = preference({
  loss: dpo({ beta: 0.1 }),
  // Four responses a prompt: half of the offline and half of the online pair's loss.
  ...(isQuadruple && { metaLearner: { learner: constant({ weight: 0.5 }), updateEvery: 1000 } }),
});
const trainer = createTrainer({
  model,
  objective,
  rows,
  reference,
  plan: { totalSteps: steps, stepsPerEpoch: 1, order: 'every row', rowsAt: () => everyRow },
  schedule: { kind: 'constant', peak: 5e-7, warmupSteps: 0, totalSteps: steps, minRatio: 0 },
  optimizer: { ...optimizer, maxGradNorm: 1 },
  microBatchTokens,
  start: initialTrainerState(objective),
});
const seconds: number[] = [];
let last = await trainer.step();
const startup = performance.now() / 1000;
const { user, system } = process.cpuUsage();
while (!trainer.isDone) {
  last = await trainer.step();
  seconds.push(last.metrics['time/step_s']!);
}
const compilations = xlaCompilations();
const measurement: Measurement = {
  seconds,
  startup,
  startupWork: (user + system) / 1e6,
  peakBytes: await peakMemory(),
  loss: last.metrics.loss!,
  gradNorm: last.metrics.grad_norm!,
  ...(compilations.count > 0 && { compilations: compilations.count, compilingSeconds: compilations.seconds }),
};
process.stdout.write(`${JSON.stringify(measurement)}\n`);
