import { tokensOf } from '@metaapo/core';
import type { GenerationRequest, ModelSource, PromptGroup, Rehearsal } from '@metaapo/core/contracts';
import { firstPack } from '@metaapo/core/numerics';
import { say } from '../recipe/compose-parts.js';
import { durationText } from '../terminal/progress.js';
import { type TrainedRecipe, trainingUse } from '../training/training-use.js';

/** What a stage of a training or a run does, in what a rehearsal tells the time of. A prompt counts once for its responses. */
export interface PlannedStage {
  /** Models that are opened to be read. */
  readonly readers?: number;
  /** Tokens that are read, and that are trained. */
  readonly read?: number;
  readonly trained?: number;
  readonly updates?: number;
  /** New tokens of responses. */
  readonly sampled?: number;
  /** Bytes of checkpoints and models. */
  readonly saved?: number;
}

/** All that is computed, by stage, and what of it is rehearsed. */
export interface PlannedWork {
  readonly stages: Readonly<Record<string, PlannedStage>>;
  readonly trains?: 'policy' | 'scorer' | undefined;
  /** Groups as they are read, and as they are trained. */
  readonly read: readonly PromptGroup[];
  readonly trained: readonly PromptGroup[];
  /** What is generated at a time; none: nothing is, here. */
  readonly requests?: readonly GenerationRequest[] | undefined;
  /** What takes time and is not in the estimate. */
  readonly left: string;
}

/**
 * Does a small part of the work, and reckons the time of all of it.
 * @returns a sentence; it says so where nothing could be rehearsed
 */
export async function estimateTime(source: ModelSource, recipe: TrainedRecipe, work: PlannedWork): Promise<string> {
  if (source.rehearse === undefined) return `Time: not estimated; model ${source.id} is computed elsewhere`;
  const before = process.uptime();
  say('Rehearsing a part of the work, to estimate its time');
  const { microBatchTokens, batchSize } = recipe.training;
  const first = (groups: readonly PromptGroup[]): readonly PromptGroup[] =>
    firstPack(groups, tokensOf, microBatchTokens);
  const rehearsal = await source.rehearse({
    ...trainingUse(recipe),
    trains: work.trains,
    read: first(work.read),
    trained: first(work.trained.slice(0, batchSize)),
    requests: work.requests ?? [],
  });
  if (rehearsal === undefined) return 'Time: not estimated; not even one layer with a micro-batch fits into the memory';
  const stages = Object.entries(work.stages).map(([name, stage]) => [name, secondsOf(stage, rehearsal)] as const);
  const timed = [['start', before + rehearsal.start] as const, ...stages.filter(([, seconds]) => seconds > 0)];
  const list = timed.map(
    ([name, seconds]) => `${name} ${seconds < 10 ? `${seconds.toFixed(1)} s` : durationText(seconds)}`,
  );
  const all = timed.reduce((sum, [, seconds]) => sum + seconds, 0);
  return (
    `Time, estimated from a rehearsal (${rehearsal.computedBy}): ${durationText(all)} (${list.join(', ')}); ` +
    `${work.left} not in it`
  );
}

function secondsOf(stage: PlannedStage, pace: Rehearsal): number {
  const { readers = 0, read = 0, trained = 0, updates = 0, sampled = 0, saved = 0 } = stage;
  return (
    readers * pace.readerStart +
    read * pace.readToken +
    trained * pace.trainedToken +
    updates * pace.update +
    sampled * (pace.newToken ?? 0) +
    saved * pace.savedByte
  );
}
