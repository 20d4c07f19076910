import { MetaapoError, type Metrics, type OptimizerStep, type TrainableModel } from '../contracts/index.js';
import { type BatchPlan, learningRateAt, type Schedule } from '../numerics/index.js';
import type { TrainerState } from './trainer-state.js';
import type { TrainingObjective } from './training-objective.js';

/** AdamW's settings and the clipping of gradients. */
export type OptimizerSettings = Omit<OptimizerStep, 'learningRate' | 'step'>;

/** How a model is trained, whatever it is trained for. */
export interface TrainerSettings {
  readonly model: TrainableModel;
  readonly plan: BatchPlan;
  readonly schedule: Schedule;
  readonly optimizer: OptimizerSettings;
  readonly start: TrainerState;
}

/** What {@link createTrainer} works with. */
export interface TrainerOptions extends TrainerSettings {
  readonly objective: TrainingObjective;
}

/** What one optimizer step did. */
export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  readonly metrics: Metrics;
  /** Data set numbers of the rows, in the order of the batch. */
  readonly rows: readonly number[];
  /** Weights w of these rows, where a meta-learner weighs them. */
  readonly weights?: Float32Array | undefined;
}

/** Trains a model step by step. */
export interface Trainer {
  readonly state: TrainerState;
  readonly isDone: boolean;
  /**
   * One optimizer step over the next batch.
   * @throws MetaapoError with code `numerics` when a loss or the gradient is not finite: parameters and state are
   * unharmed, accumulated gradients zero; with code `data` when no step is left
   */
  step(): Promise<StepReport>;
}

/** A trainer that stands where `start` says. It owns nothing: the caller disposes the model. */
export function createTrainer(options: TrainerOptions): Trainer {
  const { model, objective, plan, schedule, optimizer } = options;
  let state = objective.begin?.(options.start) ?? options.start;
  return {
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
      const batch = await objective.accumulate(plan.rowsAt(state.step), state, where).catch(async (error: unknown) => {
        await model.zeroGradients();
        throw error;
      });
      const learningRate = learningRateAt(schedule, state.step);
      const { gradientNorm } = await model.apply({ ...optimizer, learningRate, step: state.optimizerStep + 1 });
      if (!Number.isFinite(gradientNorm)) throw notFinite(gradientNorm, batch.rows, where);
      const numTokens = state.numTokens + batch.tokens;
      state = { ...state, step: state.step + 1, optimizerStep: state.optimizerStep + 1, numTokens };
      const after = batch.afterStep?.(state);
      state = after?.state ?? state;
      const metrics = {
        ...batch.metrics,
        grad_norm: gradientNorm,
        learning_rate: learningRate,
        epoch: state.step / plan.stepsPerEpoch,
        num_tokens: numTokens,
        ...after?.metrics,
        'time/step_s': (performance.now() - started) / 1000,
      };
      return { step: state.step, metrics, rows: batch.rows, weights: batch.weights };
    },
  };
}

function noStepLeft({ totalSteps }: BatchPlan, where: string): MetaapoError {
  return new MetaapoError('data', 'there is no batch left to train', {
    where,
    expected: `at most ${totalSteps} steps`,
    remedy: totalSteps === 0 ? 'Give the trainer at least one row' : 'Stop when isDone is true',
  });
}

function notFinite(gradientNorm: number, rows: readonly number[], where: string): MetaapoError {
  return new MetaapoError('numerics', 'the gradient is not finite', {
    where,
    expected: 'a finite gradient norm',
    got: `${gradientNorm} in the batch of rows ${rows.slice(0, 16).join(', ')}`,
    remedy: 'Lower the learning rate, or look at these rows; parameters and checkpoints are unharmed',
  });
}
