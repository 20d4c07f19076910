import type { LossState, PairLogprobs, PairLosses, PreferenceLoss } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeLoss, type LossFlags } from '../src/index.js';
import { faultsOf } from './faults.js';
import { altered, broken, computeSound, detached, reference, SOUND } from './sound-loss.js';

beforeAll(() => tf.setBackend('cpu'));

const softplus = (x: tf.Tensor): Tensor1D => tf.softplus(x as Tensor1D);

/** beta * (log p - log r) of both sides. */
function rewardsOf(logprobs: PairLogprobs, beta: number): readonly [Tensor1D, Tensor1D] {
  const [referenceChosen, referenceRejected] = reference(logprobs);
  return [
    tf.mul(tf.sub(logprobs.policyChosen, referenceChosen), beta),
    tf.mul(tf.sub(logprobs.policyRejected, referenceRejected), beta),
  ];
}

/** A loss whose `perPair` is made of both rewards. */
function ofRewards(
  perPair: (chosen: Tensor1D, rejected: Tensor1D, state: LossState | undefined) => tf.Tensor,
  fault: Partial<PreferenceLoss> = {},
): () => PreferenceLoss {
  const compute = (logprobs: PairLogprobs, state?: LossState): PairLosses =>
    tf.tidy(() => {
      const sound = computeSound(logprobs);
      return { ...sound, perPair: perPair(...rewardsOf(logprobs, 0.1), state) as Tensor1D };
    });
  return () => broken({ compute, ...fault });
}

/** BCO about a detached batch mean, or about the state's. */
const bco = (sign: number) => (chosen: Tensor1D, rejected: Tensor1D, state: LossState | undefined) => {
  const mean = tf.add(tf.mean(detached(tf.concat([chosen, rejected]))), state?.mean ?? 0);
  return tf.mul(tf.add(softplus(tf.sub(mean, chosen)), softplus(tf.sub(rejected, mean))), sign);
};
const kto = (sign: number) => (chosen: Tensor1D, rejected: Tensor1D) => {
  const point = (of: Tensor1D) => tf.relu(tf.mean(detached(of)));
  return tf.mul(tf.add(tf.sigmoid(tf.sub(point(rejected), chosen)), tf.sigmoid(tf.sub(rejected, point(chosen)))), sign);
};

const MEMORY = { initialState: { mean: 0 }, nextState: (): LossState => ({ mean: 0.5 }) };
const remembering = (fault: Partial<PreferenceLoss>) => ofRewards(bco(1), { couplesPairs: true, ...MEMORY, ...fault });

/** Sorted values; the gradient goes back to where each came from. */
const sorted = tf.customGrad((x, save) => {
  const values = x as Tensor1D;
  const order = tf.reverse(tf.topk(values, values.size).indices as Tensor1D);
  (save as tf.GradSaveFunc)([order]);
  return {
    value: tf.gather(values, order),
    gradFunc: (dy, [places]) =>
      tf.sum(tf.mul(tf.cast(tf.oneHot(places as Tensor1D, values.size), 'float32'), tf.expandDims(dy, 1)), 0),
  };
}) as (values: Tensor1D) => Tensor1D;

/** Sorted log-ratios against each other. */
const aot = (chosen: Tensor1D, rejected: Tensor1D) => softplus(tf.sub(sorted(rejected), sorted(chosen)));

const withoutReference = (compute: (logprobs: PairLogprobs) => tf.Tensor) => () =>
  broken({
    isReferenceFree: true,
    aggregation: 'mean',
    compute: (logprobs) =>
      tf.tidy(() => {
        const { policyChosen: chosen, policyRejected: rejected } = logprobs;
        return {
          perPair: compute(logprobs) as Tensor1D,
          score: tf.sub<Tensor1D>(chosen, rejected),
          chosenRewards: detached(chosen),
          rejectedRewards: detached(rejected),
        };
      }),
  });
/** log(p / (1 - p)) of log p, as it is written first. */
const naiveLogOdds = (c: Tensor1D) => tf.sub(c, tf.log1p(tf.neg(tf.exp(c))));

const perToken = ({ policyChosen, policyRejected, chosenTokens, rejectedTokens }: PairLogprobs) =>
  softplus(tf.sub(tf.div(policyRejected, rejectedTokens!), tf.div(policyChosen, chosenTokens!)));

type Mutant = readonly [name: string, create: () => PreferenceLoss, fault: RegExp, flags?: LossFlags];

const MUTANTS: readonly Mutant[] = [
  ['dpo negated', ofRewards((c, j) => tf.neg(softplus(tf.sub(j, c)))), /prefers the rejected response/],
  ['dpo with its sides swapped', ofRewards((c, j) => softplus(tf.sub(c, j))), /prefers the rejected response/],
  ['bco negated', ofRewards(bco(-1), { couplesPairs: true }), /prefers the rejected response/, { detachesTerms: true }],
  ['kto negated', ofRewards(kto(-1), { couplesPairs: true }), /prefers the rejected response/, { detachesTerms: true }],
  [
    'a loss that lowers chosen responses and does not say so',
    ofRewards((c, j) => tf.add(tf.sigmoid(c), tf.sigmoid(tf.sub(j, c)))),
    /makes chosen responses less likely/,
  ],
  [
    'a reference that is added',
    altered((_, logprobs) => {
      const [referenceChosen, referenceRejected] = reference(logprobs);
      const h: Tensor1D = tf.sub(
        tf.add(logprobs.policyChosen, referenceChosen),
        tf.add(logprobs.policyRejected, referenceRejected),
      );
      return { perPair: softplus(tf.mul(h, -0.1)), score: h };
    }),
    /log p and log r of chosen changes score/,
  ],
  [
    'rewards without the reference',
    altered((_, { policyChosen, policyRejected }) => ({
      chosenRewards: detached(tf.mul(policyChosen, 0.1)),
      rejectedRewards: detached(tf.mul(policyRejected, 0.1)),
    })),
    /log p and log r of chosen changes chosenRewards/,
  ],
  [
    'a score without the reference',
    altered((_, { policyChosen, policyRejected }) => ({ score: tf.sub(policyChosen, policyRejected) })),
    /score ignores the reference/,
  ],
  [
    'rewards swapped',
    altered(({ chosenRewards, rejectedRewards }) => ({
      chosenRewards: rejectedRewards,
      rejectedRewards: chosenRewards,
    })),
    /chosenRewards does not grow with log p\(chosen\)/,
  ],
  [
    'rewards negated',
    altered(({ chosenRewards }) => ({ chosenRewards: tf.neg(chosenRewards) })),
    /chosenRewards does not grow/,
  ],
  [
    'a rejected reward that is the margin',
    altered(({ chosenRewards, rejectedRewards }) => ({ rejectedRewards: tf.sub(rejectedRewards, chosenRewards) })),
    /rejectedRewards depends on log p\(chosen\)/,
  ],
  [
    'a loss that reads its scores',
    ofRewards((c, j) => {
      const margins = tf.sub(j, c).arraySync() as number[];
      return tf.add(softplus(tf.sub(j, c)), 0 * margins[0]!);
    }),
    /reads numbers synchronously/,
  ],
  ['an unknown aggregation', () => broken({ aggregation: 'median' as never }), /aggregation is "median"/],
  ['no aggregation', () => broken({ aggregation: undefined as never }), /aggregation is undefined/],
  ['a wish for something else', () => broken({ reads: 'logits' as never }), /reads is "logits"/],
  ['ranks without coupling', () => broken({ ranksPairs: true }), /ranksPairs without couplesPairs/],
  [
    'aot that does not declare its ranks',
    ofRewards(aot, { couplesPairs: true }),
    /does not permute perPair; declare ranksPairs/,
  ],
  [
    'a ranking loss whose mean depends on the order',
    ofRewards((c, j) => tf.mul(softplus(tf.sub(j, c)), tf.linspace(0.5, 1, c.size)), {
      couplesPairs: true,
      ranksPairs: true,
    }),
    /changes the mean of perPair/,
  ],
  ['a state that is no number', remembering({ initialState: { mean: Number.NaN } }), /initialState: mean is NaN/],
  [
    'a state that becomes NaN',
    remembering({ nextState: () => ({ mean: Number.NaN }) }),
    /nextState: mean is NaN, no finite number/,
  ],
  [
    'a random next state',
    remembering({ nextState: () => ({ mean: Math.random() }) }),
    /nextState gives another state the second time/,
  ],
  [
    'a next state of other names',
    remembering({ nextState: () => ({ average: 1 }) }),
    /nextState holds average where the state held mean/,
  ],
  [
    'a next state that changes the batch',
    remembering({
      nextState: (_, { policyChosen }) => {
        policyChosen.fill(0);
        return { mean: 0 };
      },
    }),
    /nextState changes its input policyChosen/,
  ],
  [
    'a next state written into the last one',
    remembering({ nextState: (state) => Object.assign(state as { mean: number }, { mean: 1 }) }),
    /nextState changes the state that it is given/,
  ],
  ['a missing nextState', remembering({ nextState: undefined as never }), /has initialState and no nextState/],
  ['a missing initialState', remembering({ initialState: undefined as never }), /has nextState and no initialState/],
  [
    'a beginning that is not the initial state',
    remembering({ initialState: { mean: 2 } }),
    /perPair without a state is not that of initialState/,
  ],
  [
    'a state that breaks the loss',
    ofRewards((c, j, state) => tf.div(bco(1)(c, j, undefined), state === undefined ? 1 : 1 - 2 * state.mean!), {
      couplesPairs: true,
      ...MEMORY,
    }),
    /perPair of pair 0 is Infinity with the state/,
  ],
  [
    'orpo with log1p(-exp(c))',
    withoutReference(({ policyChosen: c, policyRejected: j }) => softplus(tf.sub(naiveLogOdds(j), naiveLogOdds(c)))),
    /not finite, at policyChosen 0/,
  ],
  [
    'a crash without numbers of tokens',
    withoutReference((logprobs) => perToken(logprobs)),
    /without numbers of tokens it throws no MetaapoError/,
  ],
  [
    'another loss without numbers of tokens',
    withoutReference((logprobs) =>
      perToken({ chosenTokens: tf.tensor1d([1]), rejectedTokens: tf.tensor1d([1]), ...logprobs }),
    ),
    /without numbers of tokens it gives another perPair/,
  ],
  [
    'another code for missing numbers of tokens',
    withoutReference((logprobs) => {
      if (!logprobs.chosenTokens) throw new MetaapoError('data', 'no tokens', { where: 'loss sound' });
      return perToken(logprobs);
    }),
    /error has code data, expected config/,
  ],
];

describe('the kit for losses', () => {
  for (const [name, create, fault, flags] of MUTANTS) {
    it(`catches ${name}`, async () => {
      const faults = await faultsOf((test) => describeLoss(test, create, flags));
      expect([...faults.values()].join('\n')).toMatch(fault);
    });
  }

  it('passes losses that do what these mutants fail at', async () => {
    const sound: readonly (readonly [create: () => PreferenceLoss, flags?: LossFlags])[] = [
      [ofRewards(bco(1), { couplesPairs: true }), { detachesTerms: true }],
      [ofRewards(kto(1), { couplesPairs: true }), { detachesTerms: true }],
      [ofRewards(aot, { couplesPairs: true, ranksPairs: true })],
      [remembering({}), { detachesTerms: true }],
      [ofRewards((c, j) => tf.add(tf.sigmoid(c), tf.sigmoid(tf.sub(j, c)))), { raisesChosen: false }],
      [
        altered(({ score }, logprobs) => ({ score: tf.sub(score, tf.mul(logprobs.referenceChosen!, 0.5)) })),
        { isShiftInvariant: false, isAntisymmetric: false },
      ],
      [() => SOUND],
    ];
    for (const [create, flags] of sound) {
      expect(await faultsOf((test) => describeLoss(test, create, flags))).toEqual(new Map());
    }
  });
});
