import {
  type BatchOutcome,
  MetaapoError,
  type Objective,
  type ObjectiveRows,
  type OptimizerStep,
  type RowForm,
  type RowsByForm,
  type StepReport,
  type TrainableModel,
  type TrainableScorer,
  type TrainedParameters,
  type TrainingObjective,
  type TrainingPasses,
} from '../contracts/index.js';
import { type BatchPlan, learningRateAt, type Schedule } from '../numerics/index.js';
import type { TrainingMetrics } from './metrics.js';
import type { TrainerState } from './trainer-state.js';
import { policyPasses, scorerPasses } from './training-passes.js';

/** AdamW's settings and the clipping of gradients. */
export type OptimizerSettings = Omit<OptimizerStep, 'learningRate' | 'step'>;

/** What {@link createTrainer} works with: what is trained on which rows, and how. */
export interface TrainerOptions<Form extends RowForm = RowForm> extends ObjectiveRows<RowsByForm[Form]> {
  /** A language model, or a reward model where the objective trains a scorer. */
  readonly model: TrainableModel | TrainableScorer;
  readonly objective: Objective<Form>;
  /** Rows to evaluate; absent, there is no evaluation. */
  readonly heldOut?: ObjectiveRows<RowsByForm[Form]> | undefined;
  /** Tokens of a micro-batch; decides memory, never results. */
  readonly microBatchTokens: number;
  readonly plan: BatchPlan;
  readonly schedule: Schedule;
  readonly optimizer: OptimizerSettings;
  readonly start: TrainerState;
  /** Number of the iteration; absent outside of a run of iterations. */
  readonly iteration?: number | undefined;
}

/** Trains a model step by step. */
export interface Trainer {
  readonly state: TrainerState;
  /** The objective over the rows, as it is trained. */
  readonly objective: TrainingObjective;
  readonly isDone: boolean;
  /**
   * One optimizer step over the next batch.
   * @throws MetaapoError with code `numerics` when a loss or the gradient is not finite: parameters and state are
   * unharmed, accumulated gradients zero; with code `data` when no step is left
   */
  step(): Promise<StepReport>;
}

/**
 * A trainer that stands where `start` says. It owns nothing: the caller disposes the model.
 * @throws MetaapoError with code `config` when the objective cannot be opened over these rows
 */
export function createTrainer<Form extends RowForm>(options: TrainerOptions<Form>): Trainer {
  const { model, plan, schedule, optimizer } = options;
  const objective = options.objective.open({ ...options, passes: passesOf(options) });
  let state = options.start;
  return {
    objective,
    get state() {
      return state;
    },
    get isDone() {
      return state.step >= plan.totalSteps;
    },
    async step() {
      const started = performance.now();
      const where = `step ${state.step + 1}`;
      if (state.step >= plan.totalSteps) throw noStepLeft(plan, where);
      const batch = await accumulate(model, async () => {
        const outcome = await objective.accumulate(plan.rowsAt(state.step), state.objective, where);
        requireFiniteLoss('loss', outcome.metrics.loss, where, outcome.rows);
        return outcome;
      });
      const learningRate = learningRateAt(schedule, state.step);
      const optimizerStep = state.optimizerStep + 1;
      const { gradientNorm } = await model.apply({ ...optimizer, learningRate, step: optimizerStep });
      if (gradientNorm !== undefined && !Number.isFinite(gradientNorm))
        throw notFinite(gradientNorm, batch.rows, where);
      const after = batch.afterStep?.(optimizerStep);
      state = {
        step: state.step + 1,
        optimizerStep,
        numTokens: state.numTokens + batch.tokens,
        objective: after?.state ?? state.objective,
      };
      const own = {
        ...(gradientNorm !== undefined && { grad_norm: gradientNorm }),
        learning_rate: learningRate,
        epoch: state.step / plan.stepsPerEpoch,
        num_tokens: state.numTokens,
      } satisfies TrainingMetrics;
      const time = { 'time/step_s': (performance.now() - started) / 1000 } satisfies TrainingMetrics;
      const metrics = { ...batch.metrics, ...own, ...after?.metrics, ...time };
      return { step: state.step, metrics, rows: batch.rows, weights: batch.weights };
    },
  };
}

/** Passes over the model, of the kind that the objective trains. */
function passesOf({
  model,
  objective,
  microBatchTokens,
}: Pick<TrainerOptions, 'model' | 'microBatchTokens'> & {
  readonly objective: Pick<Objective, 'id' | 'trains'>;
}): TrainingPasses {
  const isScorer = 'score' in model;
  const isScorerWanted = objective.trains === 'scorer';
  if (isScorer && isScorerWanted) return scorerPasses(model, microBatchTokens);
  if (!isScorer && !isScorerWanted) return policyPasses(model, microBatchTokens);
  throw new MetaapoError('config', 'the model is of another kind than the objective trains', {
    where: `objective ${objective.id}`,
    expected: isScorerWanted ? 'a reward model' : 'a language model',
    got: isScorer ? 'a reward model' : 'a language model',
  });
}

/** The outcome of a batch; when it fails, its gradients so far go away. */
async function accumulate(model: TrainedParameters, batch: () => Promise<BatchOutcome>): Promise<BatchOutcome> {
  try {
    return await batch();
  } catch (error) {
    await model.zeroGradients();
    throw error;
  }
}

function noStepLeft({ totalSteps }: BatchPlan, where: string): MetaapoError {
  return new MetaapoError('data', 'there is no batch left to train', {
    where,
    expected: `at most ${totalSteps} steps`,
    remedy: totalSteps === 0 ? 'Give the trainer at least one row' : 'Stop when isDone is true',
  });
}

/**
 * Looks at a loss, whatever computed it.
 * @param rows that it is of, for the message
 * @throws MetaapoError with code `numerics` when there is one, and it is not finite
 */
export function requireFiniteLoss(
  name: string,
  loss: number | undefined,
  where: string,
  rows: readonly number[] = [],
): void {
  if (loss === undefined || Number.isFinite(loss)) return;
  throw new MetaapoError('numerics', `${name} is not finite`, {
    where,
    expected: 'a finite loss',
    got: `${loss}${rows.length === 0 ? '' : ` in the batch of rows ${rows.slice(0, 16).join(', ')}`}`,
    remedy: 'Lower the learning rate, or look at these rows',
  });
}

function notFinite(gradientNorm: number, rows: readonly number[], where: string): MetaapoError {
  return new MetaapoError('numerics', 'the gradient is not finite', {
    where,
    expected: 'a finite gradient norm',
    got: `${gradientNorm} in the batch of rows ${rows.slice(0, 16).join(', ')}`,
    remedy: 'Lower the learning rate, or look at these rows; this step changed nothing',
  });
}
