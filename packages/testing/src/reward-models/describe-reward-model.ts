import type { RewardModel } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import { checkRewardAbort, checkRewardFingerprint, checkRewardOrder, checkRewardValues } from './model-rewards.js';
import type { RewardModelFlags } from './reward-model-flags.js';

/**
 * Declares the tests that every reward model passes.
 *
 *     describeRewardModel({ describe, it }, () => lengthReward());
 */
export function describeRewardModel(
  test: TestRunner,
  create: CreatePart<RewardModel>,
  flags: RewardModelFlags = {},
): void {
  declareChecks(test, 'reward model', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (model) => checkOptions('reward model', model, flags),
    'gives one finite number or NaN for each request': checkRewardValues,
    'gives every request the same reward, at its own place':
      flags.isDeterministic === false ? undefined : checkRewardOrder,
    'has a fingerprint that stays': async (model) => {
      const twin = await create();
      try {
        await checkRewardFingerprint(model, flags, twin);
      } finally {
        await twin.dispose?.();
      }
    },
    'rejects under an aborted signal': flags.honoursAbort ? checkRewardAbort : undefined,
  });
}
