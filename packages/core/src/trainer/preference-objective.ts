import {
  MetaapoError,
  type Metrics,
  type PreferenceLoss,
  type TokenizedPreference,
  type TrainableModel,
} from '../contracts/index.js';
import { packByTokens } from '../numerics/index.js';
import { type ChosenStart, chosenChange, nextChosenStart, watchChosenFall } from './chosen-fall.js';
import { type EvaluationSet, evaluatePreferences } from './evaluate-preferences.js';
import { checkLossReads, checkReference, type ModelOutput } from './loss-requirements.js';
import { type MetaTraining, updateMeta } from './meta-training.js';
import { joinPairs, meanOf, pairMetrics } from './metrics.js';
import { backwardByMicroBatch } from './micro-batches.js';
import { type ObjectiveValues, rowObjective, type Weighing } from './objective.js';
import { withLossState } from './pair-losses.js';
import { groupOf, type Readings, type RowLogprobs, readRows, splitByGroup, tokensOf } from './response-logprobs.js';
import type { TrainerState } from './trainer-state.js';
import type { TrainingObjective } from './training-objective.js';

/** What preferences are trained with. */
export interface PreferenceObjectiveOptions {
  readonly model: TrainableModel;
  readonly loss: PreferenceLoss;
  readonly rows: readonly TokenizedPreference[];
  /** Reference log-probabilities of the rows; absent for a reference-free loss. */
  readonly reference?: readonly RowLogprobs[] | undefined;
  /** Tokens of a micro-batch; decides memory, never results. */
  readonly microBatchTokens: number;
  readonly meta?: MetaTraining | undefined;
  /** What the model gives for a response; by default a policy's log-probabilities. */
  readonly modelGives?: ModelOutput | undefined;
}

/**
 * The mean loss over pairs, weighed by a meta-learner where there is one.
 * @throws MetaapoError with code `config` when the loss compares what the model does not give, when it needs a reference
 * and there is none, or when a meta-learner is to weigh the pairs of a loss that ranks them
 */
export function preferenceObjective(
  options: PreferenceObjectiveOptions,
  evaluation?: EvaluationSet | undefined,
): TrainingObjective {
  const { model, loss, meta, microBatchTokens } = options;
  checkLossReads(loss, options.modelGives ?? 'logprobs');
  checkReference(loss, options.reference, 'the training rows');
  if (evaluation !== undefined) checkReference(loss, evaluation.reference, 'the held-out rows');
  if (meta !== undefined && loss.ranksPairs === true) throw notWeighable(loss);
  return {
    begin: (start) => ({ ...start, lossState: start.lossState ?? loss.initialState }),
    async accumulate(indices, state, where) {
      const batch = selectRows(options, indices);
      const weighing = meta && { ...meta, state: state.metaLearner! };
      const stated = { ...options, loss: withLossState(loss, state.lossState) };
      const parts = await accumulateBatch(stated, batch, weighing, where);
      return {
        metrics: batchMetrics(loss, parts, state.chosenStart),
        rows: batch.rows.map(({ row }) => row),
        tokens: batch.rows.reduce((sum, row) => sum + seenTokens(row), 0),
        weights: weighing && Float32Array.from(parts.flatMap((part) => [...part.weighted!.weights])),
        afterStep: (after) => updateMeta(meta, { ...after, ...nextMemory(loss, after, parts) }, parts),
      };
    },
    evaluate:
      evaluation &&
      (({ lossState }, { progress, signal }) =>
        evaluatePreferences(model, withLossState(loss, lossState), evaluation, microBatchTokens, {
          progress: progress && ((rows) => progress(rows, evaluation.rows.length)),
          signal,
        })),
    warnings: loss.warnings,
    watch: () => watchChosenFall(loss),
  };
}

function notWeighable({ id }: PreferenceLoss): MetaapoError {
  return new MetaapoError('config', 'a meta-learner cannot weigh pairs that the loss ranks against each other', {
    where: `loss ${id}`,
    expected: 'a loss of single pairs',
    remedy: 'Choose another loss, or leave metaLearner out of the recipe',
  });
}

/** What loss and warning remember after a batch. The loss sees offline pairs first, then online ones. */
function nextMemory(
  loss: PreferenceLoss,
  { lossState, chosenStart }: TrainerState,
  parts: readonly ObjectiveValues[],
): Pick<TrainerState, 'lossState' | 'chosenStart'> {
  const offline = parts.map(({ offlineArrays }) => offlineArrays);
  const online = parts.flatMap(({ weighted }) => weighted?.onlineArrays ?? []);
  return {
    chosenStart: nextChosenStart(loss, joinPairs(offline), chosenStart),
    lossState: lossState && loss.nextState ? loss.nextState(lossState, joinPairs([...offline, ...online])) : lossState,
  };
}

interface Batch {
  readonly rows: readonly TokenizedPreference[];
  readonly reference: readonly RowLogprobs[] | undefined;
}

function selectRows({ rows, reference }: PreferenceObjectiveOptions, indices: Int32Array): Batch {
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
  { model, loss, microBatchTokens }: PreferenceObjectiveOptions,
  batch: Batch,
  weighing: Weighing | undefined,
  where: string,
): Promise<readonly ObjectiveValues[]> {
  const groups = batch.rows.map(groupOf);
  const pass = { microBatchTokens, entropies: weighing?.learner.readsEntropy };
  const objectiveOf = (part: Batch, { logprobs: policy, entropies }: Readings): ReturnType<typeof rowObjective> =>
    rowObjective(loss, { ...part, policy, entropies }, weighing, 1 / groups.length, where);
  // A loss that couples pairs sees the whole batch before any of it goes backward.
  const isWhole = loss.couplesPairs === true && packByTokens(groups.map(tokensOf), microBatchTokens).length > 1;
  const whole = isWhole ? await objectiveOf(batch, await readRows(model, batch.rows, pass)) : undefined;
  const parts: ObjectiveValues[] = [];
  const passOfParts = whole === undefined ? pass : { microBatchTokens };
  await backwardByMicroBatch(model, groups, passOfParts, async ({ sumLogprobs, sumEntropies }, part) => {
    if (whole !== undefined) return { perResponse: flat(whole.gradients.slice(part.start, part.end)) };
    const { values, gradients } = await objectiveOf(slice(batch, part.start, part.end), {
      logprobs: splitByGroup(sumLogprobs, part.groups),
      entropies: sumEntropies && splitByGroup(sumEntropies, part.groups),
    });
    parts.push(values);
    return { perResponse: flat(gradients) };
  });
  return whole === undefined ? parts : [whole.values];
}

function slice({ rows, reference }: Batch, start: number, end: number): Batch {
  return { rows: rows.slice(start, end), reference: reference?.slice(start, end) };
}

const flat = (gradients: readonly Float32Array[]): Float32Array =>
  Float32Array.from(gradients.flatMap((row) => [...row]));

function batchMetrics(
  lossPart: PreferenceLoss,
  parts: readonly ObjectiveValues[],
  start: ChosenStart | undefined,
): Metrics {
  const offline = joinPairs(parts.map((part) => part.offline));
  const arrays = joinPairs(parts.map((part) => part.offlineArrays));
  const loss = meanOf(parts.flatMap(({ perRow }) => [...perRow]));
  const weighted = parts.flatMap((part) => (part.weighted === undefined ? [] : [part.weighted]));
  const ofPairs = { ...pairMetrics(offline, arrays), ...chosenChange(lossPart, arrays, start) };
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
