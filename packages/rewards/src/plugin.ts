import type { Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { ensemblePart } from './ensemble/ensemble.js';
import { functionRewardPart } from './function-reward.js';
import { httpRewardPart } from './http/http-reward.js';
import { judgePart } from './judge/judge.js';
import { ruleRewardParts } from './rule-rewards.js';

/** The reward models of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/rewards',
  contract: CONTRACT,
  parts: [functionRewardPart, httpRewardPart, judgePart, ensemblePart, ...ruleRewardParts],
});
