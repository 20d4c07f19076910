import type {
  MetaFeatures,
  MetaLearner,
  MetaLearnerState,
  PairArrays,
  PreferenceLoss,
  TokenizedPreference,
} from '../contracts/index.js';
import { logSigmoid } from '../numerics/index.js';
import { groupOf, type RowLogprobs } from '../trainer/index.js';
import { checkLosses, type PairValues, pairGradients, pairValues } from './pair-losses.js';

/** Rows with their log-probabilities, N rows. */
export interface PreferenceReadings {
  readonly rows: readonly TokenizedPreference[];
  /** Sum log-probabilities under the policy: chosen, rejected, then the same of each online pair. */
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
  /** What w in the loss is computed of. */
  readonly weightFrom?: 'score' | 'logit' | undefined;
}

/** The training objective over N rows. */
export interface PreferenceValues {
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
  /** Indices of the rows that have online pairs, M of them. */
  readonly paired: readonly number[];
  /** `[M]` float32 L_on of these rows: the mean over their online pairs. */
  readonly onlineLoss: Float32Array;
  /** Of all online pairs, row after row; absent where there is none. */
  readonly online?: PairValues | undefined;
  readonly onlineArrays?: PairArrays | undefined;
}

/** Features of N rows: logsigmoid of the offline score, lengths of the offline responses, entropies where they are read. */
export type RowFeatures = Omit<MetaFeatures, 'iteration'> & {
  readonly chosenTokens: Int32Array;
  readonly rejectedTokens: Int32Array;
};

/** A pair inside N rows: its row, and where in the row's responses its chosen one stands. */
interface PairPlace {
  readonly index: number;
  readonly at: number;
}

const offlinePlaces = (rows: readonly TokenizedPreference[]): readonly PairPlace[] =>
  rows.map((_, index) => ({ index, at: 0 }));

const onlinePlaces = (rows: readonly TokenizedPreference[]): readonly PairPlace[] =>
  rows.flatMap(({ online = [] }, index) => online.map((_, pair) => ({ index, at: 2 + 2 * pair })));

/** True for a row that has an online pair. */
export function hasOnlinePair({ online = [] }: TokenizedPreference): boolean {
  return online.length > 0;
}

/**
 * Losses of N rows, and the gradient of their weighted sum with respect to the sum log-probabilities.
 * MetaAPO's objective (arXiv 2509.23371): w L(offline pair) + (1 - w) L(online pair), no gradient through w.
 * Differs from the paper: a row may have several online pairs; their mean stands in the place of the one.
 * @param share factor of every row in the total loss: 1 / rows of the whole batch
 * @throws MetaapoError with code `numerics` when a loss is not finite
 */
export async function rowObjective(
  loss: PreferenceLoss,
  input: PreferenceReadings,
  weighing: Weighing | undefined,
  share: number,
  where: string,
): Promise<{ readonly values: PreferenceValues; readonly gradients: readonly Float32Array[] }> {
  const { offline, offlineArrays } = await offlineValues(loss, input, where);
  const gradients = input.policy.map(({ length }) => new Float32Array(length));
  const places = offlinePlaces(input.rows);
  if (weighing === undefined) {
    const coefficients = new Float32Array(places.length).fill(share);
    await addGradients({ loss, input, gradients }, places, offlineArrays, coefficients);
    return { values: { perRow: offline.perPair, offline, offlineArrays }, gradients };
  }
  const { weights, features } = weigh(weighing, { score: offline.score, scale: loss.scoreScale ?? 1 }, input);
  const ofOffline = weights.map((weight) => weight * share);
  await addGradients({ loss, input, gradients }, places, offlineArrays, ofOffline);
  const online = await onlineValues({ loss, input, gradients }, weights, share, where);
  const perRow = offline.perPair.map((value, index) => weights[index]! * value);
  for (const [at, index] of online.paired.entries()) perRow[index]! += (1 - weights[index]!) * online.onlineLoss[at]!;
  return { values: { perRow, offline, offlineArrays, weighted: { weights, features, ...online } }, gradients };
}

/**
 * Losses of the offline pairs of N rows, without gradient.
 * @throws MetaapoError with code `numerics` when a loss is not finite
 */
export async function offlineValues(
  loss: PreferenceLoss,
  input: PreferenceReadings,
  where: string,
): Promise<Pick<PreferenceValues, 'offline' | 'offlineArrays'>> {
  const offlineArrays = arraysOf(loss, input, offlinePlaces(input.rows));
  const offline = await pairValues(loss, offlineArrays);
  const names = input.rows.map(({ row }) => row);
  checkLosses(offline.perPair, names, where);
  return { offline, offlineArrays };
}

/** Preference scores s `[N]` of the offline pairs of N rows, without gradient. */
export async function pairScores(loss: PreferenceLoss, input: PreferenceReadings): Promise<Float32Array> {
  return (await pairValues(loss, arraysOf(loss, input, offlinePlaces(input.rows)))).score;
}

/** Gradients of N rows that a loss adds to. */
interface Gradients {
  readonly loss: PreferenceLoss;
  readonly input: PreferenceReadings;
  readonly gradients: readonly Float32Array[];
}

async function addGradients(
  { loss, input, gradients }: Gradients,
  places: readonly PairPlace[],
  arrays: PairArrays,
  coefficients: Float32Array,
): Promise<void> {
  const { chosen, rejected } = await pairGradients(loss, arrays, coefficients);
  for (const [pair, { index, at }] of places.entries()) {
    const { responses } = groupOf(input.rows[index]!);
    const isMean = loss.aggregation === 'mean';
    gradients[index]![at] = isMean ? chosen[pair]! / responses[at]!.length : chosen[pair]!;
    gradients[index]![at + 1] = isMean ? rejected[pair]! / responses[at + 1]!.length : rejected[pair]!;
  }
}

/** Losses of the online pairs, each with its share of the row's (1 - w). */
async function onlineValues(
  target: Gradients,
  weights: Float32Array,
  share: number,
  where: string,
): Promise<Pick<WeightedValues, 'paired' | 'onlineLoss' | 'online' | 'onlineArrays'>> {
  const { loss, input } = target;
  const { rows } = input;
  const paired = rows.flatMap((row, index) => (hasOnlinePair(row) ? [index] : []));
  if (paired.length === 0) return { paired, onlineLoss: new Float32Array(0) };
  const places = onlinePlaces(rows);
  const onlineArrays = arraysOf(loss, input, places);
  const online = await pairValues(loss, onlineArrays);
  const names = places.map(({ index }) => rows[index]!.row);
  checkLosses(online.perPair, names, `${where}, online pairs`);
  const countOf = (index: number): number => rows[index]!.online!.length;
  const coefficients = Float32Array.from(places, ({ index }) => ((1 - weights[index]!) * share) / countOf(index));
  await addGradients(target, places, onlineArrays, coefficients);
  const sums = new Float64Array(rows.length);
  for (const [pair, { index }] of places.entries()) sums[index]! += online.perPair[pair]!;
  const onlineLoss = Float32Array.from(paired, (index) => sums[index]! / countOf(index));
  return { paired, onlineLoss, online, onlineArrays };
}

/** Weights of rows, and the features of their scores: those of the meta step, whatever the weights are computed of. */
function weigh(
  { learner, state, iteration, lossWeight, weightFrom }: Weighing,
  { score, scale }: { readonly score: Float32Array; readonly scale: number },
  { rows, entropies }: PreferenceReadings,
): { readonly weights: Float32Array; readonly features: RowFeatures } {
  const features = {
    logSigmoidScore: score.map(logSigmoid),
    chosenTokens: Int32Array.from(rows, ({ chosen }) => chosen.length),
    rejectedTokens: Int32Array.from(rows, ({ rejected }) => rejected.length),
    ...(learner.readsEntropy === true && entropies !== undefined && pairEntropies(rows, entropies)),
  };
  const ofLogit = weightFrom === 'logit' && { logSigmoidScore: score.map((s) => logSigmoid(s / scale)) };
  const all = learner.weights(state, { ...features, ...ofLogit, iteration });
  const weights = Float32Array.from(rows, (row, index) => (hasOnlinePair(row) ? (lossWeight ?? all[index]!) : 1));
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

/** Log-probabilities, lengths and margins of some pairs, as the loss reads them. */
function arraysOf(loss: PreferenceLoss, input: PreferenceReadings, places: readonly PairPlace[]): PairArrays {
  const { rows, policy, reference } = input;
  const groups = rows.map(groupOf);
  const lengths = ([0, 1] as const).map((side) =>
    Float32Array.from(places, ({ index, at }) => groups[index]!.responses[at + side]!.length),
  );
  const gather = (source: readonly RowLogprobs[], side: 0 | 1): Float32Array =>
    Float32Array.from(places, ({ index, at }, pair) => {
      const sum = source[index]![at + side]!;
      return loss.aggregation === 'mean' ? sum / lengths[side]![pair]! : sum;
    });
  return {
    policyChosen: gather(policy, 0),
    policyRejected: gather(policy, 1),
    chosenTokens: lengths[0],
    rejectedTokens: lengths[1],
    ...(loss.readsMargins === true && {
      margins: Float32Array.from(places, (place) => marginOf(rows, place) ?? Number.NaN),
    }),
    ...(!loss.isReferenceFree &&
      reference !== undefined && { referenceChosen: gather(reference, 0), referenceRejected: gather(reference, 1) }),
  };
}

function marginOf(rows: readonly TokenizedPreference[], { index, at }: PairPlace): number | undefined {
  const { margin, online } = rows[index]!;
  return at === 0 ? margin : online![at / 2 - 1]!.margin;
}

/** The first row of which a pair has no margin. */
export function rowWithoutMargin(rows: readonly TokenizedPreference[]): TokenizedPreference | undefined {
  const lacking = [...offlinePlaces(rows), ...onlinePlaces(rows)].find((place) => marginOf(rows, place) === undefined);
  return lacking && rows[lacking.index];
}
