import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RUN_FILES, readMetrics } from '@metaapo/core';
import { type Evaluation, FIXED, type Outcome, type Workload } from './workload.js';

const bin = fileURLToPath(new URL('../../packages/cli/bin/metaapo.js', import.meta.url));

/** Trains with `metaapo train-reward` into a run directory. */
export async function trainOurs(workload: Workload, output: string): Promise<Outcome> {
  const recipe = `${output}.json`;
  await writeFile(recipe, JSON.stringify(recipeOf(workload, output)));
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [bin, 'train-reward', recipe], { encoding: 'utf8' });
  const wholeSeconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`train-reward failed:\n${stderr.slice(-2000)}`);
  return { ...(await readRun(output)), wholeSeconds };
}

function recipeOf({ model, seed, ...workload }: Workload, output: string): Readonly<Record<string, unknown>> {
  const { train, eval: held, maxLength, maxRows, batchSize, learningRate } = workload;
  return {
    model,
    data: { train, eval: held, maxLength, longPrompt: 'drop', ...(maxRows !== undefined && { maxRows }) },
    training: { ...FIXED, batchSize, epochs: 1, learningRate, schedule: 'linear', seed },
    output,
  };
}

async function readRun(output: string): Promise<Omit<Outcome, 'wholeSeconds'>> {
  const lines = await readMetrics(join(output, RUN_FILES.metrics));
  const steps = lines.filter(({ loss }) => loss !== undefined);
  const evaluations = lines
    .filter((line) => line.eval_loss !== undefined)
    .map((line): Evaluation => ({ accuracy: line['eval_rewards/accuracies']!, loss: line.eval_loss! }));
  return {
    before: evaluations.at(0)!,
    after: evaluations.at(-1)!,
    losses: steps.map(({ loss }) => loss!),
    trainSeconds: steps.reduce((sum, line) => sum + line['time/step_s']!, 0),
  };
}
