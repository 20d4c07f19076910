import { composeRun } from '@metaapo/core';
import { describeLoss } from '@metaapo/testing';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import losses, { aot, bco, bradleyTerry, dpo, hinge, ipo, nll, rpo, weightedSum } from './index.js';

beforeAll(() => tf.setBackend('cpu'));

const pairs = {
  policyChosen: Float32Array.of(-12, -30),
  policyRejected: Float32Array.of(-15, -22),
  referenceChosen: Float32Array.of(-13, -28),
  referenceRejected: Float32Array.of(-14, -25),
};
const logprobs = () => ({
  policyChosen: tf.tensor1d(pairs.policyChosen),
  policyRejected: tf.tensor1d(pairs.policyRejected),
  referenceChosen: tf.tensor1d(pairs.referenceChosen),
  referenceRejected: tf.tensor1d(pairs.referenceRejected),
});

describeLoss(
  { describe, it },
  () =>
    weightedSum([
      { loss: dpo(), weight: 0.7 },
      { loss: bco(), weight: 2 },
    ]),
  {
    name: 'a weighted sum',
    detachesTerms: true,
  },
);

describeLoss({ describe, it }, () => weightedSum([{ loss: dpo() }, { loss: nll() }]), {
  name: 'a weighted sum over sums and means',
});
describeLoss({ describe, it }, () => weightedSum([{ loss: dpo() }, { loss: aot() }]), {
  name: 'a weighted sum with a loss that ranks',
});

describe('a weighted sum', () => {
  it('adds the losses by their weights and takes score and rewards from the first', () => {
    const sum = weightedSum([{ loss: dpo({ beta: 0.2 }), weight: 0.5 }, { loss: hinge() }]).compute(logprobs());
    const first = dpo({ beta: 0.2 }).compute(logprobs());
    const second = hinge().compute(logprobs());
    const expected = tf.add(tf.mul(first.perPair, 0.5), second.perPair);
    expect([...sum.perPair.dataSync()]).toEqual([...expected.dataSync()]);
    expect([...sum.score.dataSync()]).toEqual([...first.score.dataSync()]);
    expect([...sum.chosenRewards.dataSync()]).toEqual([...first.chosenRewards.dataSync()]);
  });

  it('remembers what each of its losses remembers', () => {
    const sum = weightedSum([{ loss: dpo() }, { loss: bco({ beta: 0.5 }) }]);
    expect(sum.initialState).toEqual({ '1/count': 0, '1/mean': 0 });
    const next = sum.nextState!(sum.initialState!, pairs);
    // beta * (1 - 2 - 1 + 3) / 4
    expect(next).toEqual({ '1/count': 4, '1/mean': 0.125 });
    const alone = bco({ beta: 0.5 });
    const withState = (state: typeof next) => [
      ...weightedSum([{ loss: alone }])
        .compute(logprobs(), state)
        .perPair.dataSync(),
    ];
    const own = [...alone.compute(logprobs(), { count: 4, mean: 3 }).perPair.dataSync()];
    expect(withState({ '0/count': 4, '0/mean': 3 })).toEqual(own);
    expect(own).not.toEqual([...alone.compute(logprobs()).perPair.dataSync()]);
  });

  it('declares what its losses declare', () => {
    expect(weightedSum([{ loss: dpo() }, { loss: aot() }])).toMatchObject({ ranksPairs: true, couplesPairs: true });
    expect(weightedSum([{ loss: dpo({ referenceFree: true }) }, { loss: hinge() }]).isReferenceFree).toBe(false);
    expect(weightedSum([{ loss: dpo({ beta: 90 }) }]).warnings).toHaveLength(1);
  });

  it('turns sums into means, and means into sums, for a loss that takes the other', () => {
    const tokens = { chosenTokens: tf.tensor1d([4, 10]), rejectedTokens: tf.tensor1d([5, 8]) };
    const values = (tensor: tf.Tensor) => [...tensor.dataSync()];
    const [sums, means] = [
      weightedSum([{ loss: dpo() }, { loss: nll() }]),
      weightedSum([{ loss: ipo() }, { loss: bco() }]),
    ];
    const asRpo = rpo({ nllWeight: 1 }).compute({ ...logprobs(), ...tokens });
    for (const [at, value] of values(asRpo.perPair).entries()) {
      expect(values(sums.compute({ ...logprobs(), ...tokens }).perPair)[at]).toBeCloseTo(value, 6);
    }
    const lengths = { chosenTokens: Float32Array.of(4, 10), rejectedTokens: Float32Array.of(5, 8) };
    const perToken = {
      policyChosen: Float32Array.of(-3, -3),
      policyRejected: Float32Array.of(-3, -2.75),
      referenceChosen: Float32Array.of(-3.25, -2.8),
      referenceRejected: Float32Array.of(-2.8, -3.125),
    };
    const next = means.nextState!(means.initialState!, { ...perToken, ...lengths });
    expect(next['1/mean']).toBeCloseTo(bco().nextState!(bco().initialState!, pairs).mean!, 6);
    expect(() => sums.compute(logprobs())).toThrow(/numbers of response tokens are missing.*nll takes means/s);
  });

  it('refuses losses that compare different things, no loss, and weights that are not positive', () => {
    expect(() => weightedSum([{ loss: dpo() }, { loss: bradleyTerry() }])).toThrow(/bradley-terry.*one of rewards/s);
    expect(() => weightedSum([])).toThrow('no loss');
    expect(() => weightedSum([{ loss: dpo(), weight: 0 }])).toThrow('weight of dpo');
  });

  it('is made by a recipe, which names what is wrong in it', async () => {
    const make = (recipe: object) =>
      composeRun({ plugins: [losses], recipe: { loss: { id: 'weighted-sum', ...recipe } } });
    const { loss } = await make({ losses: [{ id: 'dpo', beta: 0.3, weight: 2 }, { id: 'hinge' }] });
    expect(loss.options).toMatchObject({
      losses: [
        { id: 'dpo', weight: 2, beta: 0.3 },
        { id: 'hinge', weight: 1 },
      ],
    });
    await expect(make({ losses: [{ id: 'dpoo' }] })).rejects.toThrow(/Did you mean dpo\?/);
    await expect(make({ losses: [{ id: 'dpo', betta: 1 }] })).rejects.toThrow(/betta/);
    await expect(make({ losses: 'dpo' })).rejects.toThrow(
      /losses: it is not accepted. Expected a list of 1 to 32 entries/,
    );
  });
});
