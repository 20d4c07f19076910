export { type FunctionRewardOptions, functionReward, type RewardFunction } from './function-reward.js';
export { bestRandom } from './pairs/best-random.js';
export { bestWorst } from './pairs/best-worst.js';
export { type MaxMinLengthPenaltyOptions, maxMinLengthPenalty } from './pairs/max-min-length-penalty.js';
export { plugin as default } from './plugin.js';
export {
  jsonValidityReward,
  type LengthRewardOptions,
  lengthReward,
  type RegexRewardOptions,
  regexReward,
} from './rule-rewards.js';
