import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RUN_FILES, readMetrics } from '@metaapo/core';
import { type Evaluation, FIXED, type Outcome, type Workload } from './workload.js';

const bin = fileURLToPath(new URL('../../packages/cli/bin/metaapo.js', import.meta.url));

/** What `metaapo sft` came to. */
export interface FineTuning {
  /** Directory of the model. */
  readonly model: string;
  /** Held-out loss per token, in nats. */
  readonly before: number;
  readonly after: number;
}

/** Fine-tunes with `metaapo sft` on the chosen conversations of the same rows. */
export async function fineTune(workload: Workload, learningRate: number, output: string): Promise<FineTuning> {
  const recipe = recipeOf({ ...workload, learningRate }, output);
  await run('sft', { ...recipe, data: { ...(recipe.data as object), column: 'chosen' } }, output);
  const losses = (await readMetrics(join(output, RUN_FILES.metrics)))
    .map(({ eval_loss }) => eval_loss)
    .filter((loss) => loss !== undefined);
  return { model: join(output, RUN_FILES.model), before: losses.at(0)!, after: losses.at(-1)! };
}

/** Trains with `metaapo train-reward` into a run directory. */
export async function trainOurs(workload: Workload, output: string): Promise<Outcome> {
  const wholeSeconds = await run('train-reward', recipeOf(workload, output), output);
  return { ...(await readRun(output)), wholeSeconds };
}

/** Runs a command of ours on a recipe; gives its seconds. */
async function run(command: string, recipe: Readonly<Record<string, unknown>>, output: string): Promise<number> {
  const file = `${output}.json`;
  await writeFile(file, JSON.stringify(recipe));
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [bin, command, file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`metaapo ${command} failed:\n${stderr.slice(-2000)}`);
  return (performance.now() - started) / 1000;
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
