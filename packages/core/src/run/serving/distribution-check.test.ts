import { describe, expect, it } from 'vitest';
import { coinLogprob, coinPolicy, HEADS, TAILS } from '../../../test/run/coin-policy.js';
import { MetaapoError, type ServerDraws, type TrainableModel } from '../../contracts/index.js';
import { uniformOf } from '../../numerics/index.js';
import { checkDistribution } from './distribution-check.js';

const BIAS = 1;

/** Draws of a coin with a bias of its own, by a server of this name. */
function drawsOf(bias: number, { server = 'the coin', count = 36 } = {}): ServerDraws {
  const heads = Math.exp(coinLogprob(bias, HEADS));
  const draws = Array.from({ length: count }, (_, draw) => ({
    prompt: Int32Array.of(draw),
    tokens: Int32Array.from({ length: 16 }, (_, at) => (uniformOf(['draw', draw, at]) < heads ? HEADS : TAILS)),
  }));
  return { server, draws };
}

function checked(servers: readonly ServerDraws[], policy: TrainableModel = coinPolicy(BIAS)) {
  const warnings: string[] = [];
  const warning = (text: string): void => void warnings.push(text);
  return checkDistribution('sampler coin', servers, { policy, microBatchTokens: 64, warning }).then(() => warnings);
}

describe('a server', () => {
  it('that draws from the policy passes, also among several', async () => {
    expect(await checked([drawsOf(BIAS), drawsOf(BIAS, { server: 'another' })])).toEqual([]);
  });

  it.each<[string, number, RegExp]>([
    ['sharpens, as by a temperature of its own', 2 * BIAS, /0\.\d+ nats a token likelier/],
    ['takes the likeliest token always', 40, /nats a token likelier/],
    ['flattens, as by a penalty', -0.3, /nats a token less likely/],
  ])('that %s is refused', async (_, bias, found) => {
    const servers = [drawsOf(BIAS), drawsOf(bias, { server: 'another' })];
    await expect(checked(servers)).rejects.toThrow(found);
    await expect(checked(servers)).rejects.toThrow(
      /^sampler coin, another: the server does not draw from the policy as it is\. Expected a surprisal of 0\.58 nats a token/,
    );
  });

  it('is not judged by a few responses', async () => {
    expect(await checked([drawsOf(40, { count: 8 })])).toEqual([]);
  });
});

it('is said to be unchecked where the policy gives no entropies', async () => {
  const evaluate = async (): Promise<never> => {
    throw new MetaapoError('config', 'there are no entropies', { where: 'model far away' });
  };
  expect(await checked([drawsOf(40)], { ...coinPolicy(BIAS), evaluate })).toEqual([
    expect.stringMatching(/distribution is not checked: model far away: there are no entropies/),
  ]);
});
