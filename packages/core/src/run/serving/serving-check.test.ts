import { describe, expect, it } from 'vitest';
import { coinPolicy } from '../../../test/run/coin-policy.js';
import { type CoinServerOptions, coinServer } from '../../../test/run/coin-server.js';
import type { ResponseSampler, SamplingRequest } from '../../contracts/index.js';
import { createServingCheck } from './serving-check.js';

const REQUESTS: readonly SamplingRequest[] = Array.from({ length: 6 }, (_, row) => ({
  row,
  prompt: Int32Array.of(row),
  count: 2,
  seed: 100 + row,
}));

/** A check of a policy with this bias. */
function checking(sampler: ResponseSampler, bias = 0) {
  const policy = coinPolicy(bias);
  const warnings: string[] = [];
  const warning = (text: string): void => void warnings.push(text);
  const check = createServingCheck({ sampler, policy, microBatchTokens: 40, warning });
  return { policy, warnings, check: () => check(REQUESTS) };
}

/** Checks a server whose policy then moves to another bias, and checks again. */
async function moving(to: number, given: CoinServerOptions) {
  const { policy, check } = checking(coinServer(given).sampler);
  await check();
  policy.bias = to;
  return check();
}

/** A check after a server has followed the policy to another bias, with some rounding from then on. */
async function following(rounding: number) {
  const servers = [coinServer().sampler, coinServer({ bias: 0.2, rounding }).sampler];
  const probe: ResponseSampler['probe'] = (...args) => servers[0]!.probe(...args);
  const { policy, check, warnings } = checking({ ...servers[0]!, probe });
  await check();
  policy.bias = 0.2;
  servers.shift();
  return { ...(await check())!, warnings };
}

describe('a server', () => {
  it('of the policy passes, over the first four requests', async () => {
    const { sampler, events } = coinServer();
    expect(await checking(sampler).check()).toEqual({ difference: expect.closeTo(0, 6), bound: 0.1 });
    expect(events).toHaveLength(4);
  });

  it('in a lower precision passes', async () => {
    const { difference } = (await checking(coinServer({ rounding: 0.05 }).sampler).check())!;
    expect(difference).toBeCloseTo(0.05, 5);
  });

  it('of another model is refused with what to do', async () => {
    await expect(checking(coinServer({ bias: 2 }).sampler).check()).rejects.toThrow(
      /^sampler coin, the coin: the server does not serve the policy as it is now\. Expected log-probabilities within 0\.10 nats of the policy's own on average; got \d\.\d+ nats\. See whether the server has loaded/,
    );
    await expect(checking(coinServer({ bias: 2 }).sampler).check()).rejects.toMatchObject({ code: 'network' });
  });

  it('of an earlier policy is refused, where training moved the policy by more than rounding', async () => {
    await expect(moving(0.05, {})).rejects.toThrow(/which is half of what training moved the policy; got/);
    await expect(moving(0.2, { rounding: 0.001 })).rejects.toThrow(/half of what training moved/);
  });

  it('is not suspected of more than can be told', async () => {
    expect(await moving(0.015, {})).toMatchObject({ bound: 0.1 });
    expect(await moving(0.1, { rounding: 0.01 })).toMatchObject({ bound: 0.1 });
  });

  it('that followed passes the finer check, with a warning where it is farther off than before', async () => {
    const followed = await following(0);
    expect(followed.difference).toBeLessThan(1e-6);
    expect(followed.bound).toBeLessThan(0.1);
    expect(followed.warnings).toEqual([]);
    const partly = await following(0.02);
    expect(partly.warnings).toEqual([
      expect.stringMatching(/^the servers are 0\.020 nats a token off the policy, after .*such as cached prompts$/),
    ]);
  });

  it('is refused among others that pass', async () => {
    const servers = [coinServer().sampler, coinServer({ bias: 3 }).sampler];
    const probe: ResponseSampler['probe'] = async (request) =>
      (await Promise.all(servers.map((server) => server.probe(request)))).flatMap((probes, index) =>
        probes.map((probed) => ({ ...probed, server: `server ${index}` })),
      );
    await expect(checking({ ...servers[0]!, probe }).check()).rejects.toThrow(/^sampler coin, server 1: /);
  });
});

describe('what cannot be checked', () => {
  it('is said once, where a server gives no log-probabilities', async () => {
    const { check, warnings } = checking(coinServer({ bias: 3, isSilent: true }).sampler);
    expect([await check(), await check()]).toEqual([undefined, undefined]);
    expect(warnings).toEqual([
      'sampler coin: whether the coin serves the policy is not checked; it gives no log-probabilities that compare',
    ]);
  });

  it('is said where a sampler cannot be probed', async () => {
    const { probe: _, ...sampler } = coinServer().sampler;
    const { check, warnings } = checking(sampler);
    expect(await check()).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('is not checked; they are not asked')]);
  });

  it('is nothing where a server gives some', async () => {
    const { sampler } = coinServer();
    const probe: ResponseSampler['probe'] = async (request) =>
      request.row === 1 ? [{ server: 'the coin' }] : sampler.probe(request);
    const { check, warnings } = checking({ ...sampler, probe });
    expect(await check()).toMatchObject({ bound: 0.1 });
    expect(warnings).toEqual([]);
  });
});

it('rejects under an aborted signal', async () => {
  const { sampler } = coinServer();
  const check = createServingCheck({ sampler, policy: coinPolicy(), microBatchTokens: 40, warning: () => undefined });
  await expect(check(REQUESTS, AbortSignal.abort('enough'))).rejects.toBe('enough');
});
