export {
  type EnsembleMember,
  type EnsembleMemberOptions,
  type EnsembleOptions,
  ensemble,
} from './ensemble/ensemble.js';
export { type FunctionRewardOptions, functionReward, type RewardFunction } from './function-reward.js';
export { type HttpRewardContext, type HttpRewardOptions, httpReward } from './http/http-reward.js';
export { judge } from './judge/judge.js';
export type { JudgeOptions } from './judge/judge-options.js';
export { plugin as default } from './plugin.js';
export {
  jsonValidityReward,
  type LengthRewardOptions,
  lengthReward,
  type RegexRewardOptions,
  regexReward,
} from './rule-rewards.js';
