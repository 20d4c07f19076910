import { composeRun } from '@metaapo/core';
import {
  CONTRACT,
  definePart,
  definePlugin,
  LOSS,
  type PreferenceLoss,
  type RewardModel,
} from '@metaapo/core/contracts';
import { describeRewardModel } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import rewards from '../index.js';
import { jsonValidityReward, lengthReward, regexReward } from '../rule-rewards.js';
import { type EnsembleMember, ensemble } from './ensemble.js';

const requests = (count: number) => Array.from({ length: count }, (_, at) => ({ prompt: 'p', response: `${at}` }));

/** A reward model that gives these rewards. */
const giving = (...rewards: number[]): RewardModel => ({
  id: 'giving',
  options: {},
  fingerprint: `giving ${rewards}`,
  score: async () => Float32Array.from(rewards),
});

describeRewardModel({ describe, it }, () =>
  ensemble([
    { rewardModel: lengthReward({ maxCharacters: 20 }), weight: 2, clip: [0.1, 0.9] },
    {
      rewardModel: regexReward({ pattern: '4' }),
      weight: -1,
      normalize: 'standard',
      mean: 0.5,
      standardDeviation: 0.1,
    },
    { rewardModel: jsonValidityReward(), weight: 0.5 },
  ]),
);

it('sums weighted rewards, each normalized, then clipped', async () => {
  // (3 - 1) / 2 = 1; (9 - 1) / 2 = 4, clipped to 3; times 10; and minus the other.
  const model = ensemble([
    { rewardModel: giving(3, 9), weight: 10, normalize: 'standard', mean: 1, standardDeviation: 2, clip: [-3, 3] },
    { rewardModel: giving(5, 0.5), weight: -1 },
  ]);
  expect([...(await model.score(requests(2)))]).toEqual([5, 29.5]);
});

it('is NaN where a member is, and never clips that away', async () => {
  const members = [
    { rewardModel: giving(1, Number.NaN), weight: 1, clip: [0, 1] as const },
    { rewardModel: giving(1, 1), weight: 1 },
  ];
  expect([...(await ensemble(members).score(requests(2)))]).toEqual([2, Number.NaN]);
});

it('refuses a sum that is not finite', async () => {
  const model = ensemble([{ rewardModel: giving(1, 3e38), weight: 10 }]);
  await expect(model.score(requests(2))).rejects.toThrow(/ensemble, request 1: the sum of the rewards is not finite/);
});

it('ends the other members when one fails', async () => {
  let reason: unknown;
  const waiting: RewardModel = {
    ...giving(),
    score: (_, signal) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => {
          reason = 'ended';
          reject(signal.reason);
        });
      }),
  };
  const failing: RewardModel = { ...giving(), score: () => Promise.reject(new Error('broken')) };
  const model = ensemble([waiting, failing].map((rewardModel) => ({ rewardModel, weight: 1 })));
  await expect(model.score(requests(1))).rejects.toThrow('broken');
  expect(reason).toBe('ended');
});

it('tells by its fingerprint and its options what it is made of', () => {
  const of = (...members: EnsembleMember[]) => ensemble(members);
  const rewardModel = lengthReward();
  expect(of({ rewardModel, weight: 1 }).fingerprint).toBe(
    of({ rewardModel, weight: 1, normalize: 'none' }).fingerprint,
  );
  expect(of({ rewardModel, weight: 1 }).fingerprint).not.toBe(of({ rewardModel, weight: 2 }).fingerprint);
  expect(of({ rewardModel, weight: 2 }).options).toEqual({
    members: [{ id: 'length', weight: 2, normalize: 'none', options: { minCharacters: 1, maxCharacters: 2000 } }],
  });
});

it('disposes its members', async () => {
  const disposed: string[] = [];
  const member = (id: string) => ({
    rewardModel: { ...giving(), id, dispose: () => void disposed.push(id) },
    weight: 1,
  });
  await ensemble([member('a'), member('b')]).dispose?.();
  expect(disposed).toEqual(['a', 'b']);
});

it('refuses options that are wrong', () => {
  const made = (options: Partial<EnsembleMember>) => () =>
    ensemble([
      { rewardModel: giving(), weight: 1 },
      { rewardModel: giving(), weight: 1, ...options },
    ]);
  expect(() => ensemble([])).toThrow(/it has no members/);
  expect(made({ normalize: 'standard', mean: 1 })).toThrow(
    /member 1 \(giving\) standardDeviation: normalize: standard needs/,
  );
  expect(made({ mean: 1 })).toThrow(/mean: it is for normalize: standard alone/);
  expect(made({ normalize: 'standard', mean: 1, standardDeviation: 0 })).toThrow(/standardDeviation/);
  expect(made({ clip: [1, 1] })).toThrow(/clip: the low end has to be below/);
  expect(made({ weight: Number.POSITIVE_INFINITY })).toThrow(/weight/);
});

it('is made by a recipe, of parts by id', async () => {
  const unused = definePart<PreferenceLoss, unknown>({
    slot: LOSS,
    id: 'unused',
    summary: 'Every run names a loss.',
    options: z.strictObject({}),
    create: () => ({}) as PreferenceLoss,
  });
  const plugins = [definePlugin({ name: 'test', contract: CONTRACT, parts: [unused] }), rewards];
  const make = (members: unknown) =>
    composeRun({ plugins, recipe: { loss: { id: 'unused' }, rewardModel: { id: 'ensemble', members } } });
  const { rewardModel } = await make([
    { rewardModel: { id: 'length', maxCharacters: 3 }, weight: 1 },
    { rewardModel: { id: 'regex', pattern: '^a' }, weight: -0.5, clip: [0, 1] },
  ]);
  expect([...(await rewardModel!.score([{ prompt: 'p', response: 'abc' }]))]).toEqual([0.5]);
  await expect(make([{ rewardModel: { id: 'lenght' }, weight: 1 }])).rejects.toThrow(/Did you mean length\?/);
  await expect(make([{ rewardModel: { id: 'length' } }])).rejects.toThrow(/members 0 weight/);
});

it('is relative where a member is, and passes on what could not be compared', async () => {
  const compared: RewardModel = {
    ...giving(1),
    isRelative: true,
    async score(_, __, onUnreadableComparison) {
      onUnreadableComparison?.();
      return Float32Array.of(1);
    },
  };
  const model = ensemble([
    { rewardModel: giving(2), weight: 1 },
    { rewardModel: compared, weight: 1 },
  ]);
  let unreadable = 0;
  expect([...(await model.score(requests(1), undefined, () => void unreadable++))]).toEqual([3]);
  expect([model.isRelative, unreadable]).toEqual([true, 1]);
  expect(ensemble([{ rewardModel: giving(2), weight: 1 }]).isRelative).toBe(false);
});
