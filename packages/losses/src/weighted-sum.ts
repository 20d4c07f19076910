import {
  definePart,
  LOSS,
  type LossState,
  MetaapoError,
  type PairLogprobs,
  type PairLosses,
  type PreferenceLoss,
} from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import { aggregated, scaleArray, scaleTensor } from './aggregated.js';

/** A loss of a weighted sum, with its weight. */
export interface WeightedLoss {
  readonly loss: PreferenceLoss;
  /** > 0, default 1. */
  readonly weight?: number;
}

const schema = z.strictObject({
  losses: z
    .array(z.looseObject({ id: z.string().min(1).max(100), weight: z.number().gt(0).max(1e6).default(1) }))
    .min(1)
    .max(32)
    .readonly()
    .describe(
      'Losses by id, each with its own options and a weight, 1 where none is given; the first decides score and rewards.',
    ),
});

/** Options of the part `weighted-sum`: losses by id with their own options, and a weight each. */
export type WeightedSumOptions = z.input<typeof schema>;

/**
 * A sum of losses over the same pairs.
 *
 *     perPair = sum_k weight_k perPair_k
 *
 * `score` and the implicit rewards are those of the first loss, which therefore decides what selection and the
 * meta-learner look at, and whether log-probabilities come in as sums or means; numbers of tokens turn them into what
 * another loss takes. The sum needs a reference if one of the losses does, couples pairs if one does, and remembers what
 * each of them remembers.
 * @throws MetaapoError with code `config` when there is no loss, a weight is not a positive number, or one loss compares
 * rewards and another log-probabilities
 */
export function weightedSum(losses: readonly WeightedLoss[]): PreferenceLoss {
  const terms = losses.map(({ loss, weight = 1 }) => ({ loss, weight }));
  const first = terms[0]?.loss;
  if (first === undefined) throw new MetaapoError('config', 'there is no loss to sum', { where: WHERE });
  for (const { loss, weight } of terms) checkTerm(loss, weight, first);
  const some = (name: 'couplesPairs' | 'ranksPairs'): boolean => terms.some(({ loss }) => loss[name] === true);
  return Object.freeze({
    id: 'weighted-sum',
    options: Object.freeze({
      losses: Object.freeze(terms.map(({ loss, weight }) => Object.freeze({ id: loss.id, weight, ...loss.options }))),
    }),
    ...(first.reads === undefined ? {} : { reads: first.reads }),
    aggregation: first.aggregation,
    ...(first.scoreScale === undefined ? {} : { scoreScale: first.scoreScale }),
    isReferenceFree: terms.every(({ loss }) => loss.isReferenceFree),
    ...(some('couplesPairs') ? { couplesPairs: true } : {}),
    ...(some('ranksPairs') ? { ranksPairs: true } : {}),
    warnings: terms.flatMap(({ loss }) => loss.warnings ?? []),
    ...memoryOf(terms.map(({ loss }) => loss)),
    compute: (logprobs: PairLogprobs, state?: LossState): PairLosses =>
      tf.tidy(() => {
        const parts = terms.map(({ loss }, at) =>
          loss.compute(aggregated(logprobs, first, loss, scaleTensor), loss.initialState && stateOf(state, at)),
        );
        const perPair = parts.map((part, at) => tf.mul<Tensor1D>(part.perPair, terms[at]!.weight));
        return { ...parts[0]!, perPair: tf.addN(perPair) };
      }),
  });
}

const WHERE = 'loss weighted-sum';

function checkTerm(loss: PreferenceLoss, weight: number, first: PreferenceLoss): void {
  if (!(weight > 0 && Number.isFinite(weight))) {
    const got = `${weight}`;
    throw new MetaapoError('config', `the weight of ${loss.id} is not a positive number`, { where: WHERE, got });
  }
  const [reads, expected] = [loss.reads ?? 'logprobs', first.reads ?? 'logprobs'];
  if (reads === expected) return;
  throw new MetaapoError('config', 'its losses compare different things', {
    where: WHERE,
    expected: `losses of ${expected}, as ${first.id} is`,
    got: `${loss.id}, which is one of ${reads}`,
  });
}

/** Numbers of the k-th loss are kept under `k/name`. */
function stateOf(state: LossState | undefined, at: number): LossState | undefined {
  if (state === undefined) return undefined;
  const own = Object.entries(state).filter(([name]) => name.startsWith(`${at}/`));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(`${at}/`.length), value]));
}

function keyed(state: LossState, at: number): [string, number][] {
  return Object.entries(state).map(([name, value]) => [`${at}/${name}`, value]);
}

function memoryOf(losses: readonly PreferenceLoss[]): Partial<Pick<PreferenceLoss, 'initialState' | 'nextState'>> {
  if (losses.every(({ initialState }) => initialState === undefined)) return {};
  return {
    initialState: Object.fromEntries(losses.flatMap(({ initialState }, at) => keyed(initialState ?? {}, at))),
    nextState: (state, logprobs) =>
      Object.fromEntries(
        losses.flatMap((loss, at) =>
          loss.nextState === undefined
            ? []
            : keyed(loss.nextState(stateOf(state, at)!, aggregated(logprobs, losses[0]!, loss, scaleArray)), at),
        ),
      ),
  };
}

/** {@link weightedSum} as a part. */
export const weightedSumPart = definePart({
  slot: LOSS,
  id: 'weighted-sum',
  summary: 'A sum of other losses, each with its weight.',
  options: schema,
  async create({ losses }, { makePart }) {
    if (makePart === undefined) {
      throw new MetaapoError('config', 'it is made of other parts, and none can be made here', {
        where: 'loss weighted-sum',
        remedy: 'Use composeRun, or the factory weightedSum',
      });
    }
    const terms: WeightedLoss[] = [];
    for (const { weight, ...recipe } of losses) terms.push({ loss: await makePart(LOSS, recipe), weight });
    return weightedSum(terms);
  },
});
