import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Composition, PartRecipe } from '@metaapo/core';
import {
  MetaapoError,
  type ModelSource,
  type RunEvents,
  type TextModel,
  type TextScorer,
  watchedBy,
} from '@metaapo/core/contracts';
import { RUN_FILES, recoverDirectory } from '@metaapo/core/storage';
import { say } from '../recipe/compose-parts.js';
import { checkResumedRecipe } from '../recipe/resumed-recipe.js';
import type { RunFlags } from '../recipe/run-flags.js';
import { writeReport } from '../report/write-report.js';
import { onInterruption } from '../terminal/interruption.js';
import { claimOutput } from './claim-output.js';
import type { Sources } from './data-files.js';

/** What is read of a recipe to work in its run directory. */
interface RunRecipe {
  readonly output: string;
}

/** What a training in a claimed run directory works with. */
export interface OpenedTraining<Opened> {
  readonly source: ModelSource;
  /** What is trained. */
  readonly trained: Opened;
  /** Tells the trackers, which are closed at the end, also when the training fails. */
  readonly observer: RunEvents;
  readonly sources: Sources;
  readonly signal: AbortSignal;
  /** To be called when there is something to save, see {@link onInterruption}. */
  readonly begin: () => void;
}

/** Parts that every training has. */
type TrainingParts = Composition<{ readonly model: PartRecipe; readonly trackers: readonly PartRecipe[] }>;

/** How a run directory is claimed, and the model opened. */
export interface OpeningOptions<Opened> {
  readonly flags: RunFlags;
  /** Paths that are read, see `inputsOf`. */
  readonly inputs: readonly string[];
  readonly open: (source: ModelSource) => Promise<Opened>;
}

/**
 * Claims the run directory, opens the model and trains; everything is given back at the end. The report of the run is
 * written when the training is done.
 * @throws MetaapoError with code `config` when the directory holds another run, and whatever the training throws
 */
export async function inRunDirectory<Opened extends TextModel | TextScorer>(
  recipe: RunRecipe,
  composition: TrainingParts,
  { flags, inputs, open }: OpeningOptions<Opened>,
  train: (opened: OpenedTraining<Opened>) => Promise<void>,
): Promise<void> {
  const { resume = false, allowChanges = false } = flags;
  if (resume) await checkResumedRecipe(recipe.output, recipe, allowChanges, say);
  if (resume) await requireCheckpoint(recipe.output);
  const unlock = await claimOutput(recipe.output, { resume, inputs });
  const { signal, begin, release } = onInterruption();
  let trained: Opened | undefined;
  try {
    const source = await composition.make('model', { signal });
    trained = await open(source);
    const observer = watchedBy(await composition.make('trackers', { signal }));
    await train({ source, trained, observer, sources: { report: say, signal }, signal, begin });
    process.stdout.write(`Report: ${await writeReport([recipe.output])}\n`);
  } finally {
    trained?.model.dispose();
    await composition.dispose();
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
