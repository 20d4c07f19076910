import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  type CheckpointKey,
  composeRun,
  groupOf,
  initialTrainerState,
  parseTrainingRecipe,
  planBatches,
  type RowLogprobs,
  RUN_FILES,
  referenceLogprobs,
  runTraining,
  type Schedule,
  type TrainingRecipe,
  type TrainingSummary,
} from '@metaapo/core';
import { MetaapoError, type Metrics, type TokenizedPreference } from '@metaapo/core/contracts';
import { lockDirectory, writeAtomically } from '@metaapo/core/storage';
import { selectBackend } from '@metaapo/engine';
import type { LanguageModel, LoadedTextModel } from '@metaapo/models';
import { stringify } from 'yaml';
import { loadPlugins } from '../recipe/load-plugins.js';
import { readRecipe } from '../recipe/read-recipe.js';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { loadPreferences } from './load-preferences.js';
import { metaLearnerPart, metaLearnerStart } from './meta-training.js';
import { openPolicy, openReference, type Sources } from './open-models.js';
import { trainingObserver } from './training-observer.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs `metaapo train`. */
export async function runTrainingCommand(name: string, overrides: readonly string[], resume: boolean): Promise<void> {
  const { where, value } = await readRecipe(name, overrides);
  const recipe = parseTrainingRecipe(value, where);
  const plugins = await loadPlugins(recipe.plugins);
  const metaLearner = metaLearnerPart(recipe.metaLearner);
  const parts = await composeRun({ plugins, recipe: { loss: recipe.loss, metaLearner, trackers: recipe.trackers } });
  const unlock = await claimOutput(recipe.output, resume);
  const interruption = onInterruption();
  const backend = await selectBackend(recipe.backend === undefined ? {} : { prefer: recipe.backend });
  say(`Backend: ${backend.reason}`);
  const sources: Sources = { revision: recipe.revision, report: say, signal: interruption.signal };
  const policy = await openPolicy(recipe, sources, undefined);
  try {
    const { train, held } = await loadPreferences(recipe, policy, sources);
    const rows = recipe.metaLearner !== undefined && recipe.unselected === 'drop' ? train.filter(isPaired) : train;
    const references = await referencesOf(
      recipe,
      policy,
      [rows, held],
      parts.loss.isReferenceFree,
      sources,
      backend.id,
    );
    const plan = planBatches({ rowCount: rows.length, ...recipe.training });
    await writeAtomically(join(recipe.output, RUN_FILES.recipe), stringify(recipe));
    const summary = await runTraining({
      ...trainingSettings(recipe, plan.totalSteps),
      output: recipe.output,
      model: policy.model,
      loss: parts.loss,
      rows,
      reference: references[0],
      plan,
      meta: parts.metaLearner && {
        learner: parts.metaLearner,
        updateEvery: recipe.metaLearner!.updateEvery,
      },
      start: initialTrainerState(
        parts.metaLearner && (await metaLearnerStart(recipe.metaLearner!, parts.metaLearner, recipe.training.seed)),
      ),
      key: checkpointKey(recipe, rows),
      resume,
      evaluation: held.length === 0 ? undefined : { rows: held, reference: references[1] },
      trackers: parts.trackers,
      observer: trainingObserver(),
      signal: interruption.signal,
    });
    printSummary(summary);
  } finally {
    policy.model.dispose();
    interruption.release();
    await unlock();
  }
}

const isPaired = (row: TokenizedPreference): boolean => groupOf(row).responses.length === 4;

/** @throws MetaapoError with code `config` when the directory holds a run that would be overwritten. */
async function claimOutput(output: string, resume: boolean): Promise<() => Promise<void>> {
  if (!resume && existsSync(join(output, RUN_FILES.metrics))) {
    throw new MetaapoError('config', 'the output directory already holds a run', {
      where: output,
      remedy: 'Add --resume to go on with it, or choose another output with --set output=...',
    });
  }
  return lockDirectory(output);
}

function trainingSettings(recipe: TrainingRecipe, totalSteps: number) {
  const { training } = recipe;
  const warmupSteps = training.warmupSteps ?? Math.ceil((training.warmupRatio ?? 0.03) * totalSteps);
  const schedule: Schedule = {
    kind: training.schedule,
    peak: training.learningRate,
    warmupSteps,
    totalSteps,
    minRatio: training.minLrRatio ?? 0.1,
  };
  const [beta1, beta2] = training.adamBetas;
  const { adamEpsilon: epsilon, weightDecay, maxGradNorm, microBatchTokens, evaluateEvery, saveEvery } = training;
  const clip = maxGradNorm === false ? {} : { maxGradNorm };
  return {
    schedule,
    optimizer: { beta1, beta2, epsilon, weightDecay, ...clip },
    microBatchTokens,
    evaluateEvery,
    saveEvery,
  };
}

/** Reference log-probabilities of each set of rows; the policy itself is the reference when the recipe names none. */
async function referencesOf(
  recipe: TrainingRecipe,
  policy: LoadedTextModel,
  sets: readonly (readonly TokenizedPreference[])[],
  isReferenceFree: boolean,
  sources: Sources,
  backendId: string,
): Promise<readonly (RowLogprobs[] | undefined)[]> {
  if (isReferenceFree) return sets.map(() => undefined);
  const model: LanguageModel =
    recipe.reference === undefined ? policy.model : await openReference(recipe.reference, recipe, sources, undefined);
  const total = sets.reduce((sum, rows) => sum + rows.length, 0);
  const progress = createProgress('reference');
  let before = 0;
  try {
    const results: RowLogprobs[][] = [];
    for (const rows of sets) {
      results.push(
        await referenceLogprobs({
          model,
          rows,
          microBatchTokens: recipe.training.microBatchTokens,
          cacheDirectory: join(cacheHome(), 'reference-logprobs'),
          computedBy: `${backendId} ${recipe.precision}`,
          progress: (done) => progress.update(before + done, total),
          signal: sources.signal,
        }),
      );
      before += rows.length;
    }
    return results;
  } catch (error) {
    if (!sources.signal?.aborted) throw error;
    throw new MetaapoError('interrupted', 'stopped before the first step', { where: recipe.output });
  } finally {
    progress.end();
    if (model !== policy.model) model.dispose();
  }
}

/** Directory of the project's caches: METAAPO_HOME, or ~/.cache/metaapo. */
function cacheHome(): string {
  return process.env.METAAPO_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'metaapo');
}

/** Hashes of what decides the numbers of a run: its recipe, without where and how often it writes, and its rows. */
function checkpointKey(recipe: TrainingRecipe, rows: readonly TokenizedPreference[]): CheckpointKey {
  const { output: _, trackers: __, training, ...rest } = recipe;
  const { evaluateEvery: ___, saveEvery: ____, microBatchTokens: _____, ...numbers } = training;
  const data = createHash('sha256');
  for (const row of rows) {
    const { prompt, responses } = groupOf(row);
    data.update(JSON.stringify([row.row, ...[prompt, ...responses].map((ids) => [...ids])]));
  }
  const json = JSON.stringify({ ...rest, training: numbers });
  return { recipe: createHash('sha256').update(json).digest('hex'), data: data.digest('hex') };
}

const shown: readonly (readonly [name: string, label: string])[] = [
  ['eval_loss', 'loss'],
  ['eval_rewards/accuracies', 'reward accuracy'],
  ['eval_rewards/margins', 'reward margin'],
];

function printSummary({ before, after, steps, modelDirectory }: TrainingSummary): void {
  const lines = [`${steps} steps done; the model is in ${modelDirectory}`];
  if (after !== undefined) {
    const value = (metrics: Metrics | undefined, name: string): string => metrics?.[name]?.toFixed(4) ?? '-';
    lines.push(`${'held-out'.padEnd(18)}${'before'.padStart(10)}${'after'.padStart(10)}`);
    for (const [name, label] of shown) {
      lines.push(`${label.padEnd(18)}${value(before, name).padStart(10)}${value(after, name).padStart(10)}`);
    }
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
