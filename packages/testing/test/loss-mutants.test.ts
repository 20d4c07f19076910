import type { PreferenceLoss } from '@metaapo/core/contracts';
import type { Tensor1D } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeLoss } from '../src/index.js';
import { faultsOf } from './faults.js';
import { altered, broken, computeSound, detached, reference, SOUND } from './sound-loss.js';

beforeAll(() => tf.setBackend('cpu'));

/** A loss made anew, with memory of its own. */
function forgetful(): PreferenceLoss {
  let calls = 0;
  return broken({
    compute: (logprobs) => {
      calls += 1;
      const { perPair, ...rest } = computeSound(logprobs);
      return { ...rest, perPair: tf.tidy(() => tf.add(perPair, calls / 100)) };
    },
  });
}

const MUTANTS: readonly (readonly [name: string, create: () => PreferenceLoss, fault: RegExp])[] = [
  ['an id in camel case', () => broken({ id: 'mySound' }), /id is not kebab-case/],
  ['options that can be written to', () => broken({ options: { beta: 0.1 } }), /options is not frozen/],
  [
    'an option that is a function',
    () => broken({ options: Object.freeze({ beta: () => 1 }) }),
    /options\.beta does not survive JSON/,
  ],
  [
    'an option that is infinite',
    () => broken({ options: Object.freeze({ beta: Number.POSITIVE_INFINITY }) }),
    /options\.beta does not survive JSON/,
  ],
  [
    'a loss that is reduced',
    altered(({ perPair }) => ({ perPair: tf.reshape(tf.mean(perPair), [1]) })),
    /perPair has shape \[1\] for 3 pairs/,
  ],
  [
    'a score that is a column',
    altered(({ score }) => ({ score: tf.reshape(score, [-1, 1]) as never })),
    /score has shape/,
  ],
  [
    'rewards in int32',
    altered(({ chosenRewards }) => ({ chosenRewards: tf.cast(chosenRewards, 'int32') })),
    /chosenRewards has dtype int32/,
  ],
  ['a missing output', altered(() => ({ rejectedRewards: undefined as never })), /rejectedRewards is no tensor/],
  [
    'an exponential that overflows',
    altered(({ score }) => ({ perPair: tf.log(tf.add(1, tf.exp(tf.mul(score, -0.1)))) as Tensor1D })),
    /not finite/,
  ],
  [
    'a gradient of the wrong sign',
    altered(({ perPair, score }) => ({
      perPair: tf.sub(detached(perPair), tf.sub(tf.mul(perPair, 1), detached(perPair))) as Tensor1D,
      score,
    })),
    /gradient disagrees with finite differences/,
  ],
  [
    'a gradient half as large',
    altered(({ perPair }) => ({ perPair: tf.add(tf.mul(perPair, 0.5), tf.mul(detached(perPair), 0.5)) as Tensor1D })),
    /gradient disagrees with finite differences/,
  ],
  [
    'a gradient through the chosen only',
    altered((losses, logprobs) => ({
      perPair: computeSound({ ...logprobs, policyRejected: detached(logprobs.policyRejected) }).perPair,
      score: losses.score,
    })),
    /log p\(rejected\)/,
  ],
  [
    'no gradient at all',
    altered(({ perPair }) => ({ perPair: tf.tensor1d(perPair.dataSync()) })),
    /gradient cannot be computed|disagrees/,
  ],
  [
    'rewards that carry gradient',
    altered((_, { policyChosen }) => ({ chosenRewards: tf.mul(policyChosen, 0.1) })),
    /chosenRewards are not detached/,
  ],
  [
    'a score of the chosen alone',
    altered((_, logprobs) => ({ score: tf.sub(logprobs.policyChosen, logprobs.referenceChosen!) })),
    /does not reverse the score/,
  ],
  ['a score the wrong way round', altered(({ score }) => ({ score: tf.neg(score) })), /score does not grow/],
  [
    'pairs in reverse order',
    altered(({ perPair }) => ({ perPair: tf.reverse(perPair) })),
    /permuting|depends on the other pairs|disagrees/,
  ],
  [
    'a loss centred over the batch',
    altered(({ perPair }) => ({ perPair: tf.sub(perPair, tf.mean(perPair)) })),
    /declare couplesPairs/,
  ],
  [
    'a score centred over the batch',
    altered(({ score }) => ({ score: tf.sub(score, tf.mean(score)) })),
    /score of pair 0 depends on the other pairs/,
  ],
  [
    'a reference that is read though declared unread',
    () =>
      broken({
        isReferenceFree: true,
        compute: (logprobs) =>
          computeSound(
            logprobs.referenceChosen
              ? logprobs
              : {
                  ...logprobs,
                  referenceChosen: tf.zerosLike(logprobs.policyChosen),
                  referenceRejected: tf.zerosLike(logprobs.policyRejected),
                },
          ),
      }),
    /declares isReferenceFree, yet/,
  ],
  [
    'a reference that is asked for and not read',
    () =>
      broken({
        compute: (logprobs) => {
          reference(logprobs);
          return computeSound({
            ...logprobs,
            referenceChosen: logprobs.policyChosen,
            referenceRejected: logprobs.policyChosen,
          });
        },
      }),
    /never reads it/,
  ],
  [
    'a reference that is taken for zero',
    () =>
      broken({
        compute: (logprobs) =>
          tf.tidy(() => ({
            ...computeSound({
              referenceChosen: tf.zerosLike(logprobs.policyChosen),
              referenceRejected: tf.zerosLike(logprobs.policyRejected),
              ...logprobs,
            }),
          })),
      }),
    /computes without a reference/,
  ],
  [
    'a plain Error for a missing reference',
    () =>
      broken({
        compute: (logprobs) => {
          if (!logprobs.referenceChosen) throw new Error('no reference');
          return computeSound(logprobs);
        },
      }),
    /throws no MetaapoError but Error: no reference/,
  ],
  ['a memory', forgetful, /another perPair the second time/],
  [
    'an input that is disposed',
    () =>
      broken({
        compute: (logprobs) => {
          const losses = computeSound(logprobs);
          logprobs.referenceChosen!.dispose();
          return losses;
        },
      }),
    /disposes referenceChosen|disposed/,
  ],
  [
    'an input given back',
    () => broken({ compute: (logprobs) => ({ ...computeSound(logprobs), score: logprobs.policyChosen }) }),
    /score is its input policyChosen itself/,
  ],
  [
    'a leak at each call',
    () =>
      broken({
        compute: (logprobs) => {
          tf.keep(tf.scalar(1));
          return computeSound(logprobs);
        },
      }),
    /leaks 1 tensors at each call/,
  ],
  [
    'a leak when it throws',
    () =>
      broken({
        compute: (logprobs) => {
          const early = tf.keep(tf.neg(logprobs.policyChosen));
          const losses = computeSound(logprobs);
          early.dispose();
          return losses;
        },
      }),
    /leaks 1 tensors when/,
  ],
];

describe('the kit for losses', () => {
  it('passes a sound loss', async () => {
    expect(await faultsOf((test) => describeLoss(test, () => SOUND))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeLoss(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
