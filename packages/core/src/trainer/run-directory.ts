import type { Metrics, Tracker } from '../contracts/index.js';
import type { RunJournal } from '../journal/index.js';
import type { StepReport } from './trainer.js';
import type { CheckpointKey } from './trainer-checkpoint.js';

/** File and directory names inside a run directory. */
export const RUN_FILES = {
  metrics: 'metrics.jsonl',
  journal: 'journal.jsonl',
  recipe: 'recipe.yaml',
  model: 'model',
  metaLearner: 'meta-learner.safetensors',
  checkpoint: 'checkpoint',
  report: 'report.html',
} as const;

/** Told what happens, as it happens. */
export interface TrainingObserver {
  /** A step is done, of `total`. */
  step?(report: StepReport, total: number): void;
  /** Something that the user should look at; training goes on. */
  warning?(text: string): void;
  /** Groups of an evaluation that are done: prompts with their responses. */
  evaluation?(done: number, total: number): void;
  /** An evaluation is done, after so many steps. */
  evaluated?(step: number, metrics: Metrics): void;
}

/** Where a training writes, how often, and how it goes on. */
export interface RunDirectoryOptions {
  /** Run directory: metrics.jsonl, journal.jsonl, checkpoint/, model/. */
  readonly output: string;
  readonly key: CheckpointKey;
  /** Goes on from the checkpoint in the run directory, instead of beginning where `start` says. */
  readonly resume: boolean;
  /** Steps between evaluations; absent: before the first and after the last step. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints; absent: only when interrupted. */
  readonly saveEvery?: number | undefined;
  /** Borrowed: the caller closes them. */
  readonly trackers: readonly Tracker[];
  readonly observer: TrainingObserver;
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
