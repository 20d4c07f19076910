import type { Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { ensemblePart } from './ensemble/ensemble.js';
import { functionRewardPart } from './function-reward.js';
import { httpRewardPart } from './http/http-reward.js';
import { judgePart } from './judge/judge.js';
import { bestOfNPart } from './pairs/best-of-n.js';
import { bestRandomPart } from './pairs/best-random.js';
import { bestWorstPart } from './pairs/best-worst.js';
import { maxMinLengthPenaltyPart } from './pairs/max-min-length-penalty.js';
import { ruleRewardParts } from './rule-rewards.js';

/** The reward models and pair rules of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/rewards',
  contract: CONTRACT,
  parts: [
    functionRewardPart,
    httpRewardPart,
    judgePart,
    ensemblePart,
    ...ruleRewardParts,
    bestWorstPart,
    bestRandomPart,
    bestOfNPart,
    maxMinLengthPenaltyPart,
  ],
});
