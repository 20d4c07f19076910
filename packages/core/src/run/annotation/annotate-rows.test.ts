import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { coinPolicy } from '../../../test/run/coin-policy.js';
import { coinRun } from '../../../test/run/coin-run.js';
import { coinServer } from '../../../test/run/coin-server.js';
import type { AnnotationCandidates, AnnotationRequest, AnnotationRule, RewardModel } from '../../contracts/index.js';
import { runIterations } from '../run-iterations.js';
import type { RunOptions } from '../run-options.js';

// Whole runs, each of them resumed: a busy machine takes its time for their files.
vi.setConfig({ testTimeout: 60_000 });

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-annotation-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** A scorer of heads that fails after so many calls; what it was paid for. */
function scorer(id: string, calls = Number.POSITIVE_INFINITY) {
  const paid: string[] = [];
  let left = calls;
  const model: RewardModel = {
    id,
    options: {},
    fingerprint: id,
    async score(requests) {
      if (left-- <= 0) throw new Error('the scorer is down');
      paid.push(...requests.map(({ prompt, response }) => `${prompt} ${response}`));
      return Float32Array.from(requests, ({ response }) => response.split('1').length - 1);
    },
  };
  return { model, paid };
}

const missing = ({ responses }: AnnotationCandidates): readonly AnnotationRequest[] =>
  responses.flatMap(({ reward }, response) => (reward === undefined ? [{ response }] : []));

/** One response after the other, until two rewards differ. */
const inRounds: AnnotationRule = {
  id: 'in-rounds',
  options: {},
  scoresInRounds: true,
  next(row) {
    const known = new Set(row.responses.map(({ reward }) => reward).filter((reward) => reward !== undefined));
    return known.size > 1 ? [] : missing(row).slice(0, 1);
  },
};

/** All by a cheap scorer, and those with an even number of heads by the own one; rewards are the cheap ones. */
const cheapFirst = (cheap: RewardModel): AnnotationRule => ({
  id: 'cheap-first',
  options: {},
  scorers: { cheap },
  next: ({ responses }) => {
    const by = (known: (one: (typeof responses)[number]) => unknown, scorer?: string) =>
      responses.flatMap((one, response) => (known(one) === undefined ? [{ response, scorer }] : []));
    const first = by(({ otherRewards }) => otherRewards.cheap, 'cheap');
    return first.length > 0 ? first : by(({ reward, otherRewards }) => (otherRewards.cheap! % 2 === 0 ? reward : 0));
  },
  rewards: ({ responses }) => responses.map(({ otherRewards }) => otherRewards.cheap),
});

async function run(
  output: string,
  annotation: AnnotationRule,
  rewardModel: RewardModel,
  more: Partial<RunOptions> = {},
) {
  const policy = coinPolicy();
  const options = coinRun(output, policy, coinServer().sampler);
  const parts = { ...options.parts, annotation, rewardModel };
  const { iterations } = await runIterations({ ...options, responsesPerPrompt: 6, ...more, parts });
  return { iterations: iterations.map(({ seconds: _, ...rest }) => rest), bias: policy.bias };
}

describe('a run whose annotation rule decides what is scored', () => {
  it('pays for what the rule wants alone, and counts what it spared', async () => {
    const { model, paid } = scorer('own');
    const { iterations } = await run(await temporaryDirectory(), inRounds, model);
    const done = iterations.reduce((sum, { annotations }) => sum + annotations.done, 0);
    const spared = iterations.reduce((sum, { annotations }) => sum + (annotations.spared ?? 0), 0);
    expect(spared).toBeGreaterThan(0);
    expect(done + spared).toBe(12 * 6);
    expect(paid.length).toBeLessThanOrEqual(done);
    for (const { pairs } of iterations) expect(pairs).toMatchObject({ unreadable: 0, responses: 24 });
  });

  it('is resumed to what the undisturbed one came to, and pays for nothing twice', async () => {
    const straight = { own: scorer('own'), cheap: scorer('cheap') };
    const expected = await run(await temporaryDirectory(), cheapFirst(straight.cheap.model), straight.own.model);
    for (const calls of [0, 1, 2, 3]) {
      const output = await temporaryDirectory();
      const first = { own: scorer('own', calls), cheap: scorer('cheap') };
      await expect(run(output, cheapFirst(first.cheap.model), first.own.model)).rejects.toThrow('the scorer is down');
      const second = { own: scorer('own'), cheap: scorer('cheap') };
      const resumed = await run(output, cheapFirst(second.cheap.model), second.own.model);
      expect(resumed).toEqual(expected);
      expect([...first.own.paid, ...second.own.paid].sort()).toEqual(straight.own.paid.toSorted());
      expect([...first.cheap.paid, ...second.cheap.paid].sort()).toEqual(straight.cheap.paid.toSorted());
    }
    expect(expected.iterations[0]!.annotations.otherwise).toBe(24);
  });

  it('spends on later iterations what it spared of a budget of reward calls', async () => {
    const budget = { rewardCalls: 36 };
    const all = await run(await temporaryDirectory(), { ...inRounds, next: missing }, scorer('own').model, { budget });
    const some = await run(await temporaryDirectory(), inRounds, scorer('own').model, { budget });
    expect(all.iterations.map(({ selected }) => selected)).toEqual([2, 2, 2]);
    expect(some.iterations[0]!.selected).toBe(2);
    expect(some.iterations[2]!.selected).toBeGreaterThan(2);
    expect(some.iterations.reduce((sum, { annotations }) => sum + annotations.done, 0)).toBeLessThanOrEqual(36);
  });

  it('refuses to score relative rewards in rounds, said or not, before or when they are asked for', async () => {
    const { model, paid } = scorer('own');
    const relative = { ...model, isRelative: true };
    await expect(run(await temporaryDirectory(), inRounds, relative)).rejects.toThrow(/hold within one call alone/);
    expect(paid).toEqual([]);
    const unsaid = { ...inRounds, scoresInRounds: false };
    await expect(run(await temporaryDirectory(), unsaid, relative)).rejects.toThrow(
      /in-rounds, reward model of the run/,
    );
  });

  it.each<[string, Partial<AnnotationRule>, RegExp]>([
    ['a response that there is not', { next: () => [{ response: 9 }] }, /Expected one of 6 responses; got 9/],
    ['a reward that it knows', { next: () => [{ response: 0 }] }, /a reward that it does not know/],
    ['a scorer that it does not own', { next: () => [{ response: 0, scorer: 'x' }] }, /one of its scorers/],
    ['other rewards than there are responses', { next: () => [], rewards: () => [1] }, /6 rewards/],
  ])('refuses a rule that asks for %s', async (_, fault, message) => {
    await expect(run(await temporaryDirectory(), { ...inRounds, ...fault }, scorer('own').model)).rejects.toThrow(
      message,
    );
  });
});
