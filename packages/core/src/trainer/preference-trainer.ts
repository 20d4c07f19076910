import type {
  LossState,
  MetaBuffer,
  MetaLearner,
  MetaLearnerState,
  Metrics,
  OptimizerStep,
  PreferenceLoss,
  TokenizedPreference,
  TrainableModel,
} from '../contracts/index.js';
import { MetaapoError } from '../contracts/index.js';
import { type BatchPlan, learningRateAt, packByTokens, type Schedule } from '../numerics/index.js';
import { chosenChange } from './chosen-fall.js';
import { appendRows, type BufferedRows, emptyBuffer } from './meta-buffer.js';
import { joinPairs, meanOf, pairMetrics } from './metrics.js';
import { type ObjectiveValues, rowObjective, type Weighing } from './objective.js';
import { withLossState } from './pair-losses.js';
import { evaluateRows, groupOf, type RowLogprobs, splitByGroup, tokensOf } from './response-logprobs.js';

/** AdamW's settings and the clipping of gradients. */
export type OptimizerSettings = Omit<OptimizerStep, 'learningRate' | 'step'>;

/** A meta-learner in training. */
export interface MetaTraining {
  readonly learner: MetaLearner;
  /** Optimizer steps between two updates of the meta-learner, T_meta. */
  readonly updateEvery: number;
  readonly iteration?: number | undefined;
}

/** What a preference trainer works with. */
export interface PreferenceTrainerOptions {
  readonly model: TrainableModel;
  readonly loss: PreferenceLoss;
  readonly rows: readonly TokenizedPreference[];
  /** Reference log-probabilities of the rows; absent for a reference-free loss. */
  readonly reference?: readonly RowLogprobs[] | undefined;
  readonly plan: BatchPlan;
  readonly schedule: Schedule;
  readonly optimizer: OptimizerSettings;
  /** Tokens of a micro-batch; decides memory, never results. */
  readonly microBatchTokens: number;
  readonly meta?: MetaTraining | undefined;
  readonly start: TrainerState;
}

/** Everything of a trainer that is not in the model. */
export interface TrainerState {
  /** Steps of this plan that are done. */
  readonly step: number;
  /** Optimizer steps since the moments were zero, for AdamW's bias correction. */
  readonly optimizerStep: number;
  /** Tokens seen. */
  readonly numTokens: number;
  readonly metaLearner?: MetaLearnerState | undefined;
  readonly metaBuffer: BufferedRows;
  /** What the loss remembers, where it remembers anything. */
  readonly lossState?: LossState | undefined;
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
export interface PreferenceTrainer {
  readonly state: TrainerState;
  readonly isDone: boolean;
  /**
   * One optimizer step over the next batch.
   * @throws MetaapoError with code `numerics` when a loss or the gradient is not finite: parameters and state are
   * unharmed, accumulated gradients zero; with code `data` when no step is left
   */
  step(): Promise<StepReport>;
}

/** The state before the first step. */
export function initialTrainerState(metaLearner?: MetaLearnerState): TrainerState {
  return { step: 0, optimizerStep: 0, numTokens: 0, metaLearner, metaBuffer: emptyBuffer() };
}

/**
 * A trainer that stands where `start` says. It owns nothing: the caller disposes the model.
 * @throws MetaapoError with code `config` when a meta-learner is to weigh the pairs of a loss that ranks them
 */
export function createPreferenceTrainer(options: PreferenceTrainerOptions): PreferenceTrainer {
  const { model, loss, plan, schedule, optimizer, meta } = options;
  if (meta !== undefined && loss.ranksPairs === true) throw notWeighable(loss);
  let state: TrainerState = { ...options.start, lossState: options.start.lossState ?? loss.initialState };
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
      const batch = selectRows(options, plan.rowsAt(state.step));
      const weighing = meta && { ...meta, state: state.metaLearner! };
      const parts = await accumulateBatch(
        { ...options, loss: withLossState(loss, state.lossState) },
        batch,
        weighing,
        where,
      ).catch(async (error: unknown) => {
        await model.zeroGradients();
        throw error;
      });
      const gradNorm = await model.gradientNorm();
      if (!Number.isFinite(gradNorm)) await refuseGradient(model, gradNorm, batch.rows, where);
      const learningRate = learningRateAt(schedule, state.step);
      await model.apply({ ...optimizer, learningRate, step: state.optimizerStep + 1 }, gradNorm);
      const numTokens = state.numTokens + batch.rows.reduce((sum, row) => sum + seenTokens(row), 0);
      const lossState = nextLossState(loss, state.lossState, parts);
      state = { ...state, step: state.step + 1, optimizerStep: state.optimizerStep + 1, numTokens, lossState };
      const update = updateMeta(meta, state, parts);
      state = update.state;
      const metrics = {
        ...batchMetrics(loss, batch.rows, parts),
        grad_norm: gradNorm,
        learning_rate: learningRate,
        epoch: state.step / plan.stepsPerEpoch,
        num_tokens: numTokens,
        ...(update.loss === undefined ? {} : { 'meta/loss': update.loss }),
        'time/step_s': (performance.now() - started) / 1000,
      };
      const weights = weighing && Float32Array.from(parts.flatMap((part) => [...part.weighted!.weights]));
      return { step: state.step, metrics, rows: batch.rows.map(({ row }) => row), weights };
    },
  };
}

function notWeighable({ id }: PreferenceLoss): MetaapoError {
  return new MetaapoError('config', 'a meta-learner cannot weigh pairs that the loss ranks against each other', {
    where: `loss ${id}`,
    expected: 'a loss of single pairs',
    remedy: 'Choose another loss, or leave metaLearner out of the recipe',
  });
}

/** State of the loss after a batch: offline pairs first, then online ones. */
function nextLossState(
  loss: PreferenceLoss,
  state: LossState | undefined,
  parts: readonly ObjectiveValues[],
): LossState | undefined {
  if (state === undefined || loss.nextState === undefined) return state;
  const offline = parts.map(({ offlineArrays }) => offlineArrays);
  const online = parts.flatMap(({ weighted }) => weighted?.onlineArrays ?? []);
  return loss.nextState(state, joinPairs([...offline, ...online]));
}

function noStepLeft({ totalSteps }: BatchPlan, where: string): MetaapoError {
  return new MetaapoError('data', 'there is no batch left to train', {
    where,
    expected: `at most ${totalSteps} steps`,
    remedy: totalSteps === 0 ? 'Give the trainer at least one row' : 'Stop when isDone is true',
  });
}

interface Batch {
  readonly rows: readonly TokenizedPreference[];
  readonly reference: readonly RowLogprobs[] | undefined;
}

function selectRows({ rows, reference }: PreferenceTrainerOptions, indices: Int32Array): Batch {
  const pick = <Item>(items: readonly Item[]): Item[] => Array.from(indices, (index) => items[index]!);
  return { rows: pick(rows), reference: reference && pick(reference) };
}

/** Tokens as trainers of padded pairs count them: the prompt once a response. */
function seenTokens(row: TokenizedPreference): number {
  const { prompt, responses } = groupOf(row);
  return responses.reduce((sum, response) => sum + prompt.length + response.length, 0);
}

/** Adds the gradient of the batch's mean loss to the model's gradients, micro-batch by micro-batch. */
async function accumulateBatch(
  { model, loss, microBatchTokens }: PreferenceTrainerOptions,
  batch: Batch,
  weighing: Weighing | undefined,
  where: string,
): Promise<readonly ObjectiveValues[]> {
  const groups = batch.rows.map(groupOf);
  const packs = packByTokens(groups.map(tokensOf), microBatchTokens);
  const objectiveOf = (part: Batch, policy: readonly RowLogprobs[]): ReturnType<typeof rowObjective> =>
    rowObjective(loss, { ...part, policy }, weighing, 1 / groups.length, where);
  // A loss that couples pairs sees the whole batch before any of it goes backward.
  const isWhole = loss.couplesPairs === true && packs.length > 1;
  const whole = isWhole ? await objectiveOf(batch, await evaluateRows(model, batch.rows, microBatchTokens)) : undefined;
  const parts: ObjectiveValues[] = [];
  for (const [start, end] of packs) {
    const pack = groups.slice(start, end);
    const ticket = await model.forward(pack);
    const { values, gradients } = await (whole === undefined
      ? objectiveOf(slice(batch, start, end), splitByGroup(ticket.sumLogprobs, pack))
      : Promise.resolve({ values: undefined, gradients: whole.gradients.slice(start, end) })
    ).catch(async (error: unknown) => {
      await model.discard(ticket);
      throw error;
    });
    if (values !== undefined) parts.push(values);
    await model.backward(ticket, Float32Array.from(gradients.flatMap((row) => [...row])));
  }
  return whole === undefined ? parts : [whole.values];
}

function slice({ rows, reference }: Batch, start: number, end: number): Batch {
  return { rows: rows.slice(start, end), reference: reference?.slice(start, end) };
}

async function refuseGradient(
  model: TrainableModel,
  gradNorm: number,
  rows: readonly TokenizedPreference[],
  where: string,
): Promise<never> {
  await model.zeroGradients();
  throw new MetaapoError('numerics', 'the gradient is not finite', {
    where,
    expected: 'a finite gradient norm',
    got: `${gradNorm} in the batch of rows ${rows
      .slice(0, 16)
      .map(({ row }) => row)
      .join(', ')}`,
    remedy: 'Lower the learning rate, or look at these rows; parameters and checkpoints are unharmed',
  });
}

function batchMetrics(
  lossPart: PreferenceLoss,
  rows: readonly TokenizedPreference[],
  parts: readonly ObjectiveValues[],
): Metrics {
  const offline = joinPairs(parts.map((part) => part.offline));
  const arrays = joinPairs(parts.map((part) => part.offlineArrays));
  const loss = meanOf(parts.flatMap(({ perRow }) => [...perRow]));
  const weighted = parts.flatMap((part) => (part.weighted === undefined ? [] : [part.weighted]));
  const ofPairs = { ...pairMetrics(offline, arrays), ...chosenChange(lossPart, arrays, rows) };
  if (weighted.length === 0) return { loss, ...ofPairs };
  const onlineLosses = weighted.flatMap(({ online }) => [...(online?.perPair ?? [])]);
  const weights = weighted.flatMap((part) => part.paired.map((index) => part.weights[index]!));
  return {
    loss,
    'loss/offline': meanOf(offline.perPair),
    ...(onlineLosses.length === 0 ? {} : { 'loss/online': meanOf(onlineLosses), 'meta/weight_mean': meanOf(weights) }),
    ...ofPairs,
  };
}

/** Keeps the rows for the meta-learner, and updates it when its turn has come. A left-over buffer is carried on. */
function updateMeta(
  meta: MetaTraining | undefined,
  state: TrainerState,
  parts: readonly ObjectiveValues[],
): { readonly state: TrainerState; readonly loss?: number } {
  if (meta === undefined) return { state };
  const metaBuffer = appendRows(state.metaBuffer, parts);
  if (state.optimizerStep % meta.updateEvery !== 0 || metaBuffer.logSigmoidScore.length === 0) {
    return { state: { ...state, metaBuffer } };
  }
  const buffer: MetaBuffer = { ...metaBuffer, iteration: meta.iteration };
  const update = meta.learner.update(state.metaLearner!, buffer);
  return { state: { ...state, metaLearner: update.state, metaBuffer: emptyBuffer() }, loss: update.loss };
}
