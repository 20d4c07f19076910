import type { RunEvents } from '../contracts/index.js';
import type { RunJournal } from '../journal/index.js';
import type { CheckpointKey } from './trainer-checkpoint.js';

/** Where a training writes, how often, and how it goes on. */
export interface RunDirectoryOptions {
  /** Run directory: metrics.jsonl, journal.jsonl, checkpoint/, model/. */
  readonly output: string;
  readonly key: CheckpointKey;
  /** Goes on from the checkpoint in the run directory, instead of beginning where `start` says. */
  readonly resume: boolean;
  /** True: a resumed training may have other inputs than it was started with; they are warned of. */
  readonly allowChanges?: boolean | undefined;
  /** Steps between evaluations; absent: before the first and after the last step. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints; absent: only when interrupted. */
  readonly saveEvery?: number | undefined;
  /** Told what happens, as it happens; borrowed. */
  readonly observer: RunEvents;
  /** The run directory's journal, where it is open already. */
  readonly journal?: RunJournal | undefined;
  /** Where checkpoints are kept; default `checkpoint` in the run directory. */
  readonly checkpointDirectory?: string | undefined;
  /** Where the model is saved at the end; default `model` in the run directory. */
  readonly modelDirectory?: string | undefined;
  /** Steps of earlier iterations, to be added in metrics and journal; default 0. */
  readonly earlierSteps?: number | undefined;
  /** Number of the iteration, for metrics and journal; absent outside of a run of iterations. */
  readonly iteration?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
