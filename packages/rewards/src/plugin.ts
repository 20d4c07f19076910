import type { Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { functionRewardPart } from './function-reward.js';
import { bestRandomPart } from './pairs/best-random.js';
import { bestWorstPart } from './pairs/best-worst.js';
import { maxMinLengthPenaltyPart } from './pairs/max-min-length-penalty.js';
import { ruleRewardParts } from './rule-rewards.js';

/** The reward models and pair rules of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/rewards',
  contract: CONTRACT,
  parts: [functionRewardPart, ...ruleRewardParts, bestWorstPart, bestRandomPart, maxMinLengthPenaltyPart],
});
