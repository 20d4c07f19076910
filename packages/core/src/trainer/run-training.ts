import { join } from 'node:path';
import { MetaapoError, type Metrics, type Tracker } from '../contracts/index.js';
import {
  type Journal,
  type JournalEntry,
  type MetricsFile,
  openJournal,
  openMetrics,
  writeArrays,
} from '../storage/index.js';
import { watchChosenFall } from './chosen-fall.js';
import { type EvaluationSet, evaluatePreferences } from './evaluate-preferences.js';
import { withLossState } from './pair-losses.js';
import {
  createPreferenceTrainer,
  type PreferenceTrainer,
  type PreferenceTrainerOptions,
  type StepReport,
  type TrainerState,
} from './preference-trainer.js';
import { type CheckpointKey, loadTrainerCheckpoint, saveTrainerCheckpoint } from './trainer-checkpoint.js';

/** Told what happens, as it happens. */
export interface TrainingObserver {
  /** A step is done, of `total`. */
  step?(report: StepReport, total: number): void;
  /** Something that the user should look at; training goes on. */
  warning?(text: string): void;
  /** Rows of an evaluation that are done. */
  evaluation?(rows: number, total: number): void;
  /** An evaluation is done, after so many steps. */
  evaluated?(step: number, metrics: Metrics): void;
}

/** A whole training into a run directory. */
export interface TrainingRunOptions extends Omit<PreferenceTrainerOptions, 'start'> {
  /** Run directory: metrics.jsonl, journal.jsonl, checkpoint/, model/, meta-learner.safetensors. */
  readonly output: string;
  /** Where the trainer begins when it does not resume. */
  readonly start: PreferenceTrainerOptions['start'];
  readonly key: CheckpointKey;
  /** Goes on from the checkpoint in the run directory. */
  readonly resume: boolean;
  readonly evaluation?: EvaluationSet | undefined;
  /** Steps between evaluations; absent: before the first and after the last step. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints; absent: only when interrupted. */
  readonly saveEvery?: number | undefined;
  /** Borrowed: the caller closes them. */
  readonly trackers: readonly Tracker[];
  readonly observer: TrainingObserver;
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

/** What a training ended with. */
export interface TrainingSummary {
  readonly steps: number;
  /** Evaluations before the first and after the last step, where there are held-out rows. */
  readonly before?: Metrics | undefined;
  readonly after?: Metrics | undefined;
  readonly modelDirectory: string;
  readonly state: TrainerState;
}

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

/**
 * Trains to the end of the plan, writes metrics as it goes, and saves the model.
 * @throws MetaapoError with code `interrupted` after saving a checkpoint when the signal is aborted, `numerics` when a
 * loss or a gradient is not finite, `data` when there is no row outside of a run of iterations
 */
export async function runTraining(options: TrainingRunOptions): Promise<TrainingSummary> {
  const { model, output, key, resume } = options;
  if (options.rows.length === 0 && options.iteration === undefined) throw noRows(output);
  const start = resume ? await loadTrainerCheckpoint(checkpointOf(options), model, key) : options.start;
  const done = (options.earlierSteps ?? 0) + start.step;
  const metricsFile = await openMetrics(join(output, RUN_FILES.metrics), done === 0 ? -1 : done);
  const isDone = ({ kind, step }: JournalEntry): boolean => kind !== 'step' || Number(step) <= done;
  const journal = await openJournal(join(output, RUN_FILES.journal), isDone);
  const trainer = createPreferenceTrainer({ ...options, start });
  if (done === 0) for (const warning of options.loss.warnings ?? []) options.observer.warning?.(warning);
  const before = done === 0 ? await evaluateAndLog(options, trainer, metricsFile, {}) : undefined;
  const after = await trainToEnd(options, trainer, metricsFile, journal);
  const modelDirectory = options.modelDirectory ?? join(output, RUN_FILES.model);
  await model.save(modelDirectory);
  if (trainer.state.metaLearner !== undefined) {
    await writeArrays(join(output, RUN_FILES.metaLearner), trainer.state.metaLearner);
  }
  return { steps: trainer.state.step, before, after, modelDirectory, state: trainer.state };
}

function noRows(output: string): MetaapoError {
  return new MetaapoError('data', 'there is no row to train on', {
    where: output,
    expected: 'at least one preference pair',
    got: '0 rows',
    remedy: 'See how many rows were dropped and why; raise data.maxLength, or choose other data',
  });
}

async function trainToEnd(
  options: TrainingRunOptions,
  trainer: PreferenceTrainer,
  metricsFile: MetricsFile,
  journal: Journal,
): Promise<Metrics | undefined> {
  const { plan, observer, evaluateEvery, saveEvery } = options;
  const watch = watchChosenFall();
  let last: Metrics | undefined;
  while (!trainer.isDone) {
    await stopIfAborted(options, trainer);
    const report = await trainer.step();
    observer.step?.(report, plan.totalSteps);
    const warning = watch(report.metrics);
    if (warning !== undefined) observer.warning?.(warning);
    await journal.append(journalEntry(report, options));
    const isDue = trainer.isDone || (evaluateEvery !== undefined && report.step % evaluateEvery === 0);
    last = await evaluateAndLog(options, trainer, metricsFile, report.metrics, isDue);
    if (saveEvery !== undefined && report.step % saveEvery === 0) await saveProgress(options, trainer);
  }
  last ??= await evaluateAndLog(options, trainer, metricsFile, {});
  await stopIfAborted(options, trainer);
  return last;
}

/** Which rows a step trained, and how much each offline pair counted. */
function journalEntry({ step, rows, weights }: StepReport, options: TrainingRunOptions): JournalEntry {
  const { earlierSteps = 0, iteration } = options;
  const number = iteration === undefined ? {} : { iteration };
  return { kind: 'step', ...number, step: earlierSteps + step, rows, ...(weights && { weights: [...weights] }) };
}

/** Evaluates where that is due, and writes one line of metrics. An interrupted evaluation is left out. */
async function evaluateAndLog(
  options: TrainingRunOptions,
  { state }: PreferenceTrainer,
  file: MetricsFile,
  trained: Metrics,
  isDue = true,
): Promise<Metrics | undefined> {
  const { step } = state;
  const loss = withLossState(options.loss, state.lossState);
  const evaluated = isDue ? await evaluateUnlessAborted({ ...options, loss }) : undefined;
  if (evaluated !== undefined) options.observer.evaluated?.(step, evaluated);
  const { earlierSteps = 0, iteration } = options;
  const metrics = { ...trained, ...evaluated };
  if (Object.keys(metrics).length > 0) {
    const line = iteration === undefined ? metrics : { ...metrics, iteration };
    await file.append(earlierSteps + step, line);
    for (const tracker of options.trackers) await tracker.log(earlierSteps + step, line);
  }
  return evaluated;
}

async function evaluateUnlessAborted(options: TrainingRunOptions): Promise<Metrics | undefined> {
  const { model, loss, evaluation, microBatchTokens, observer, signal } = options;
  if (evaluation === undefined) return undefined;
  const progress = (rows: number): void => observer.evaluation?.(rows, evaluation.rows.length);
  try {
    return await evaluatePreferences(model, loss, evaluation, microBatchTokens, { progress, signal });
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
}

const checkpointOf = ({ output, checkpointDirectory }: TrainingRunOptions): string =>
  checkpointDirectory ?? join(output, RUN_FILES.checkpoint);

function saveProgress(options: TrainingRunOptions, trainer: PreferenceTrainer): Promise<void> {
  return saveTrainerCheckpoint(checkpointOf(options), options.model, trainer.state, options.key);
}

async function stopIfAborted(options: TrainingRunOptions, trainer: PreferenceTrainer): Promise<void> {
  if (!options.signal?.aborted) return;
  await saveProgress(options, trainer);
  throw new MetaapoError('interrupted', `stopped after step ${trainer.state.step} of ${options.plan.totalSteps}`, {
    where: options.output,
    remedy: 'A checkpoint is saved; the same command with --resume goes on from it',
  });
}
