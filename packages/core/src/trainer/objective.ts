import type {
  MetaFeatures,
  MetaLearner,
  MetaLearnerState,
  PairArrays,
  PreferenceLoss,
  TokenizedPreference,
} from '../contracts/index.js';
import { logSigmoid } from '../numerics/index.js';
import { checkLosses, type PairValues, pairGradients, pairValues } from './pair-losses.js';
import type { RowLogprobs } from './response-logprobs.js';

/** The rows of a pass with their log-probabilities, N rows. */
export interface ObjectiveRows {
  readonly rows: readonly TokenizedPreference[];
  /** Sum log-probabilities under the policy: chosen, rejected[, online chosen, online rejected]. */
  readonly policy: readonly RowLogprobs[];
  /** Sum entropies of the policy's predictions of the same responses, in nats; where a meta-learner reads them. */
  readonly entropies?: readonly Float32Array[] | undefined;
  /** Log-probabilities under the reference; absent for a reference-free loss. */
  readonly reference?: readonly RowLogprobs[] | undefined;
}

/** What weighs the pairs: absent, every offline pair counts 1 and online pairs are not trained. */
export interface Weighing {
  readonly learner: MetaLearner;
  readonly state: MetaLearnerState;
  readonly iteration?: number | undefined;
  /** Weight of offline pairs in the loss, in place of the meta-learner's. */
  readonly lossWeight?: number | undefined;
}

/** The training objective over N rows. */
export interface ObjectiveValues {
  /** `[N]` w L_off + (1 - w) L_on, or L_off alone. */
  readonly perRow: Float32Array;
  readonly offline: PairValues;
  /** Log-probabilities as the loss saw them. */
  readonly offlineArrays: PairArrays;
  /** Present where a meta-learner weighs the pairs. */
  readonly weighted?: WeightedValues | undefined;
}

/** What MetaAPO adds to the objective. */
export interface WeightedValues {
  /** `[N]` weights w; 1 in rows without an online pair. */
  readonly weights: Float32Array;
  /** What the meta-learner looked at, N rows. */
  readonly features: RowFeatures;
  /** Indices of the rows that have an online pair, M of them. */
  readonly paired: readonly number[];
  /** Of the online pairs, `[M]`. */
  readonly online: PairValues | undefined;
  readonly onlineArrays: PairArrays | undefined;
}

/** Features of N rows: logsigmoid of the offline score, lengths of the offline responses, entropies where they are read. */
export type RowFeatures = Omit<MetaFeatures, 'iteration'> & {
  readonly chosenTokens: Int32Array;
  readonly rejectedTokens: Int32Array;
};

/**
 * Losses of N rows, and the gradient of their weighted sum with respect to the sum log-probabilities.
 * MetaAPO's objective (arXiv 2509.23371): w L(offline pair) + (1 - w) L(online pair), no gradient through w.
 * @param share factor of every row in the total loss: 1 / rows of the whole batch
 * @throws MetaapoError with code `numerics` when a loss is not finite
 */
export async function rowObjective(
  loss: PreferenceLoss,
  input: ObjectiveRows,
  weighing: Weighing | undefined,
  share: number,
  where: string,
): Promise<{ readonly values: ObjectiveValues; readonly gradients: readonly Float32Array[] }> {
  const all = input.rows.map((_, index) => index);
  const offlineArrays = arraysOf(loss, input, all, 0);
  const offline = await pairValues(loss, offlineArrays);
  const names = input.rows.map(({ row }) => row);
  checkLosses(offline.perPair, names, where);
  const gradients = input.policy.map(({ length }) => new Float32Array(length));
  const add = async (indices: readonly number[], arrays: PairArrays, first: 0 | 2, coefficients: Float32Array) => {
    const { chosen, rejected } = await pairGradients(loss, arrays, coefficients);
    for (const [at, index] of indices.entries()) {
      const [c, j] = responsesOf(input.rows[index]!, first);
      gradients[index]![first] = loss.aggregation === 'mean' ? chosen[at]! / c.length : chosen[at]!;
      gradients[index]![first + 1] = loss.aggregation === 'mean' ? rejected[at]! / j.length : rejected[at]!;
    }
  };
  if (weighing === undefined) {
    await add(all, offlineArrays, 0, new Float32Array(all.length).fill(share));
    return { values: { perRow: offline.perPair, offline, offlineArrays }, gradients };
  }
  const paired = all.filter((index) => input.policy[index]!.length === 4);
  const { weights, features } = weigh(weighing, offline.score, input, paired);
  await add(
    all,
    offlineArrays,
    0,
    weights.map((weight) => weight * share),
  );
  const perRow = offline.perPair.map((value, index) => weights[index]! * value);
  let online: PairValues | undefined;
  let onlineArrays: PairArrays | undefined;
  if (paired.length > 0) {
    onlineArrays = arraysOf(loss, input, paired, 2);
    online = await pairValues(loss, onlineArrays);
    checkLosses(
      online.perPair,
      paired.map((index) => names[index]!),
      `${where}, online pairs`,
    );
    await add(
      paired,
      onlineArrays,
      2,
      Float32Array.from(paired, (index) => (1 - weights[index]!) * share),
    );
    for (const [at, index] of paired.entries()) perRow[index]! += (1 - weights[index]!) * online.perPair[at]!;
  }
  const weighted = { weights, features, paired, online, onlineArrays };
  return { values: { perRow, offline, offlineArrays, weighted }, gradients };
}

/** Preference scores s `[N]` of the offline pairs of N rows, without gradient. */
export async function pairScores(loss: PreferenceLoss, input: ObjectiveRows): Promise<Float32Array> {
  const all = input.rows.map((_, index) => index);
  return (await pairValues(loss, arraysOf(loss, input, all, 0))).score;
}

function weigh(
  { learner, state, iteration, lossWeight }: Weighing,
  scores: Float32Array,
  { rows, entropies }: ObjectiveRows,
  paired: readonly number[],
): { readonly weights: Float32Array; readonly features: RowFeatures } {
  const features = {
    logSigmoidScore: scores.map(logSigmoid),
    chosenTokens: Int32Array.from(rows, ({ chosen }) => chosen.length),
    rejectedTokens: Int32Array.from(rows, ({ rejected }) => rejected.length),
    ...(learner.readsEntropy === true && entropies !== undefined && pairEntropies(rows, entropies)),
  };
  const all = learner.weights(state, { ...features, iteration });
  const weights = new Float32Array(rows.length).fill(1);
  for (const index of paired) weights[index] = lossWeight ?? all[index]!;
  return { weights, features };
}

/** Mean entropies of the offline responses of N rows, `[N]` float32 each, in nats a token. */
export interface PairEntropies {
  readonly chosenEntropy: Float32Array;
  readonly rejectedEntropy: Float32Array;
}

/** Mean entropies out of the sums that a model gives. */
export function pairEntropies(rows: readonly TokenizedPreference[], entropies: readonly Float32Array[]): PairEntropies {
  return {
    chosenEntropy: Float32Array.from(rows, ({ chosen }, index) => entropies[index]![0]! / chosen.length),
    rejectedEntropy: Float32Array.from(rows, ({ rejected }, index) => entropies[index]![1]! / rejected.length),
  };
}

/** The two responses of a pair: the offline one (first 0) or the online one (first 2). */
function responsesOf(row: TokenizedPreference, first: 0 | 2): readonly [Int32Array, Int32Array] {
  return first === 0 ? [row.chosen, row.rejected] : [row.onlineChosen!, row.onlineRejected!];
}

/** Log-probabilities and lengths of the offline (first 0) or online (first 2) pairs of some rows, as the loss reads them. */
function arraysOf(loss: PreferenceLoss, input: ObjectiveRows, indices: readonly number[], first: 0 | 2): PairArrays {
  const lengths = ([0, 1] as const).map((side) =>
    Float32Array.from(indices, (index) => responsesOf(input.rows[index]!, first)[side].length),
  );
  const gather = (source: readonly RowLogprobs[], side: 0 | 1): Float32Array =>
    Float32Array.from(indices, (index, at) => {
      const sum = source[index]![first + side]!;
      return loss.aggregation === 'mean' ? sum / lengths[side]![at]! : sum;
    });
  const policy = {
    policyChosen: gather(input.policy, 0),
    policyRejected: gather(input.policy, 1),
    chosenTokens: lengths[0],
    rejectedTokens: lengths[1],
  };
  if (loss.isReferenceFree || input.reference === undefined) return policy;
  return { ...policy, referenceChosen: gather(input.reference, 0), referenceRejected: gather(input.reference, 1) };
}
