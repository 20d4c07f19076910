import { join } from 'node:path';
import { isMetaapoError, MetaapoError, type Metrics, type RowForm, type StepReport } from '../contracts/index.js';
import { openRunJournal, type RunEntry, type RunJournal } from '../journal/index.js';
import { learningRateAt } from '../numerics/index.js';
import { isPresent, type MetricsFile, openMetrics, RUN_FILES, writeArrays } from '../storage/index.js';
import type { RunDirectoryOptions } from './run-directory.js';
import { createTrainer, requireFiniteLoss, type Trainer, type TrainerOptions } from './trainer.js';
import { type CheckpointKey, loadTrainerCheckpoint, saveTrainerCheckpoint } from './trainer-checkpoint.js';
import type { TrainerState } from './trainer-state.js';

/** A whole training into a run directory. */
export interface TrainingRunOptions<Form extends RowForm = RowForm> extends TrainerOptions<Form>, RunDirectoryOptions {}

/** What a training ended with. */
export interface TrainingSummary {
  readonly steps: number;
  /** Evaluations before the first and after the last step, where there are held-out rows. */
  readonly before?: Metrics | undefined;
  readonly after?: Metrics | undefined;
  readonly modelDirectory: string;
  readonly state: TrainerState;
}

/**
 * Trains to the end of the plan, writes metrics as it goes, and saves the model and what the objective keeps beside it.
 * @throws MetaapoError with code `interrupted` after saving a checkpoint when the signal is aborted, `numerics` when a
 * loss or a gradient is not finite, `data` when there is no row outside of a run of iterations
 */
export async function runTraining<Form extends RowForm>(options: TrainingRunOptions<Form>): Promise<TrainingSummary> {
  const { model, output, resume, observer } = options;
  if (options.plan.totalSteps === 0 && options.iteration === undefined) throw noStep(options);
  if (options.iteration === undefined) await observer.begin?.({ directory: output });
  const warn = (text: string): void => observer.warning?.(text);
  const start = resume
    ? await loadTrainerCheckpoint(checkpointOf(options), model, keyOf(options), {
        allowChanges: options.allowChanges,
        warn,
      })
    : options.start;
  const done = (options.earlierSteps ?? 0) + start.step;
  const isFirst = done === 0 && (options.iteration ?? 0) === 0;
  const metricsFile = await openMetrics(join(output, RUN_FILES.metrics), isFirst ? -1 : done);
  const journal = options.journal ?? (await openRunJournal(join(output, RUN_FILES.journal), () => false));
  const trainer = createTrainer({ ...options, start });
  if (done === 0) for (const warning of warningsOf(options, trainer)) observer.warning?.(warning);
  const before = done === 0 ? await evaluateAndLog(options, trainer, metricsFile, {}) : undefined;
  const modelDirectory = options.modelDirectory ?? join(output, RUN_FILES.model);
  const after = await orDiverged(options, trainer, async () => {
    const last = await trainToEnd(options, trainer, metricsFile, journal);
    await model.save(modelDirectory);
    const files = options.objective.filesOf?.(trainer.state.objective) ?? {};
    for (const [name, arrays] of Object.entries(files)) await writeArrays(join(output, `${name}.safetensors`), arrays);
    return last;
  });
  return { steps: trainer.state.step, before, after, modelDirectory, state: trainer.state };
}

/** The same without what depends on the form of the rows. */
type RunSettings = RunDirectoryOptions & Pick<TrainerOptions, 'model' | 'plan' | 'schedule'>;

/** Does the work. Where a number is not finite, the error says after which step, and what is left to go on from. */
async function orDiverged<Result>(
  options: RunSettings,
  trainer: Trainer,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (!isMetaapoError(cause) || cause.code !== 'numerics') throw cause;
    const { step } = trainer.state;
    const checkpoint = checkpointOf(options);
    throw new MetaapoError('numerics', `the training diverged after step ${step}: ${cause.message}`, {
      where: options.output,
      remedy: isPresent(checkpoint)
        ? `The last good checkpoint is ${checkpoint}: --resume goes on from it, --allow-changes with another learning rate`
        : 'There is no checkpoint of it yet: training.saveEvery saves some',
      cause,
    });
  }
}

/** What the user should know before the first step. */
function warningsOf({ plan, schedule }: RunSettings, { objective }: Trainer): readonly string[] {
  const { totalSteps } = plan;
  const { peak, warmupSteps } = schedule;
  if (totalSteps === 0 || warmupSteps < totalSteps) return objective.warnings ?? [];
  const highest = learningRateAt(schedule, totalSteps - 1);
  const effect = highest === 0 ? '0 throughout: nothing is trained' : `at most ${highest}, not ${peak}`;
  const steps = `the ${totalSteps} optimizer step${totalSteps === 1 ? '' : 's'}`;
  return [
    ...(objective.warnings ?? []),
    `the warm-up takes all of ${steps}, so the learning rate is ${effect}. Set training.warmupSteps to 0, or train longer`,
  ];
}

function noStep({ output, rows }: Pick<TrainingRunOptions, 'output' | 'rows'>): MetaapoError {
  if (rows.length > 0) {
    return new MetaapoError('data', 'there is no whole batch to train on', {
      where: output,
      expected: 'at least training.batchSize rows, as training.lastBatch is drop',
      got: `${rows.length} rows`,
      remedy: 'Lower training.batchSize, or set training.lastBatch to keep',
    });
  }
  return new MetaapoError('data', 'there is no row to train on', {
    where: output,
    expected: 'at least one row',
    got: '0 rows',
    remedy: 'See how many rows were dropped and why; raise data.maxLength, or choose other data',
  });
}

async function trainToEnd(
  options: RunSettings,
  trainer: Trainer,
  metricsFile: MetricsFile,
  journal: RunJournal,
): Promise<Metrics | undefined> {
  const { plan, observer, evaluateEvery, saveEvery } = options;
  const watch = trainer.objective.watch?.();
  let last: Metrics | undefined;
  while (!trainer.isDone) {
    await stopIfAborted(options, trainer);
    const report = await trainer.step();
    observer.step?.(report, plan.totalSteps);
    const warning = watch?.(report.metrics);
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

/** Which rows a step trained, and how much each offline pair counted. Of a step that is done again the last entry counts. */
function journalEntry({ step, rows, weights }: StepReport, options: RunSettings): RunEntry {
  const { earlierSteps = 0, iteration } = options;
  const number = iteration === undefined ? {} : { iteration };
  return { kind: 'step', ...number, step: earlierSteps + step, rows, ...(weights && { weights: [...weights] }) };
}

/** Evaluates where that is due, and writes one line of metrics. An interrupted evaluation is left out. */
async function evaluateAndLog(
  options: RunSettings,
  trainer: Trainer,
  file: MetricsFile,
  trained: Metrics,
  isDue = true,
): Promise<Metrics | undefined> {
  const { step } = trainer.state;
  const evaluated = isDue ? await evaluateUnlessAborted(options, trainer) : undefined;
  if (evaluated !== undefined) options.observer.evaluated?.(step, evaluated);
  const { earlierSteps = 0, iteration } = options;
  const metrics = { ...trained, ...evaluated };
  if (Object.keys(metrics).length > 0) {
    const line = iteration === undefined ? metrics : { ...metrics, iteration };
    await file.append(earlierSteps + step, line);
    await options.observer.log?.(earlierSteps + step, line);
  }
  return evaluated;
}

async function evaluateUnlessAborted(
  { observer, signal }: RunSettings,
  { objective, state }: Trainer,
): Promise<Metrics | undefined> {
  const progress = (done: number, total: number): void => observer.evaluation?.(done, total);
  try {
    const evaluated = await objective.evaluate?.(state.objective, { progress, signal });
    requireFiniteLoss('eval_loss', evaluated?.eval_loss, `the evaluation after step ${state.step}`);
    return evaluated;
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
}

const checkpointOf = ({ output, checkpointDirectory }: RunSettings): string =>
  checkpointDirectory ?? join(output, RUN_FILES.checkpoint);

/** The key of a checkpoint inside of the plan. */
const keyOf = ({ key, plan: { order } }: RunSettings): CheckpointKey => ({ ...key, order });

function saveProgress(options: RunSettings, trainer: Trainer): Promise<void> {
  return saveTrainerCheckpoint(checkpointOf(options), options.model, trainer.state, keyOf(options));
}

async function stopIfAborted(options: RunSettings, trainer: Trainer): Promise<void> {
  if (!options.signal?.aborted) return;
  await saveProgress(options, trainer);
  throw new MetaapoError('interrupted', `stopped after step ${trainer.state.step} of ${options.plan.totalSteps}`, {
    where: options.output,
    remedy: 'A checkpoint is saved; the same command with --resume goes on from it',
  });
}
