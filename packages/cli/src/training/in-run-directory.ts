import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { composeTrackers, RUN_FILES, type SftRecipe } from '@metaapo/core';
import { MetaapoError, type Plugin, type Tracker } from '@metaapo/core/contracts';
import { recoverDirectory, writeAtomically } from '@metaapo/core/storage';
import type { LanguageModelOptions, LoadedTextModel } from '@metaapo/models';
import { stringify } from 'yaml';
import { checkResumedRecipe } from '../recipe/resumed-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { writeReport } from '../report/write-report.js';
import { onInterruption } from '../terminal/interruption.js';
import { chooseBackend } from './choose-backend.js';
import { claimOutput } from './claim-output.js';
import { openPolicy, type PolicyRecipe, type Sources } from './open-models.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** What is read of a recipe before its training begins. */
type OpenedRecipe = PolicyRecipe & Pick<SftRecipe, 'output' | 'backend' | 'revision' | 'trackers'>;

/** What a training in a claimed run directory works with. */
export interface OpenedTraining {
  readonly policy: LoadedTextModel;
  /** Borrowed: closed at the end, also when the training fails. */
  readonly trackers: readonly Tracker[];
  readonly sources: Sources;
  readonly signal: AbortSignal;
}

/** How a run directory is claimed. */
export interface OpeningOptions {
  readonly flags: RunFlags;
  readonly plugins: readonly Plugin[];
  /** A new head on the model, for a reward model. */
  readonly newHead?: LanguageModelOptions['newHead'];
}

/**
 * Claims the run directory, chooses the backend, opens the model and trains; everything is given back at the end. The
 * report of the run is written when the training is done.
 * @throws MetaapoError with code `config` when the directory holds another run, and whatever the training throws
 */
export async function inRunDirectory(
  recipe: OpenedRecipe,
  { flags, plugins, newHead }: OpeningOptions,
  train: (opened: OpenedTraining) => Promise<void>,
): Promise<void> {
  const { resume = false, allowChanges = false } = flags;
  if (resume) await checkResumedRecipe(recipe.output, recipe, allowChanges, say);
  if (resume) await requireCheckpoint(recipe.output);
  const unlock = await claimOutput(recipe.output, resume);
  const { signal, release } = onInterruption();
  let policy: LoadedTextModel | undefined;
  let trackers: readonly Tracker[] = [];
  try {
    await chooseBackend(recipe, say);
    const sources: Sources = { revision: recipe.revision, report: say, signal };
    policy = await openPolicy(recipe, sources, newHead === undefined ? {} : { newHead });
    trackers = await composeTrackers(plugins, recipe.trackers);
    await train({ policy, trackers, sources, signal });
    process.stdout.write(`Report: ${await writeReport([recipe.output])}\n`);
  } finally {
    for (const tracker of trackers) await tracker.close();
    policy?.model.dispose();
    release();
    await unlock();
  }
}

/** Looks for what a training goes on from, before anything is loaded or written. */
async function requireCheckpoint(output: string): Promise<void> {
  const directory = join(output, RUN_FILES.checkpoint);
  await recoverDirectory(directory);
  if (existsSync(directory)) return;
  throw new MetaapoError('checkpoint', 'there is no checkpoint to resume from', {
    where: directory,
    expected: 'what an interrupted training leaves, or training.saveEvery',
    got: existsSync(join(output, RUN_FILES.model)) ? 'a training that has ended' : 'nothing',
    remedy: 'Leave --resume out, with another output when this one holds a run',
  });
}

/** Keeps the recipe with every default in the run directory. */
export function keepRecipe(recipe: OpenedRecipe): Promise<void> {
  return writeAtomically(join(recipe.output, RUN_FILES.recipe), stringify(recipe));
}

/** @throws MetaapoError with code `config` when the model is a reward model */
export function refuseRewardModel({ model, directory }: LoadedTextModel): void {
  if (model.config.task === 'causal-lm') return;
  throw new MetaapoError('config', 'a reward model cannot be trained as a policy', {
    where: directory,
    expected: 'a language model',
    got: 'a model with a classification head',
    remedy: 'Train it with `metaapo train-reward`',
  });
}
