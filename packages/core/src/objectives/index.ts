export { type KtoSettings, kto } from './kto.js';
export { checkLossReads, type ModelOutput } from './loss-requirements.js';
export type { MetaWeighing } from './meta-weighing.js';
export { type PairValues, pairGradients, pairValues } from './pair-losses.js';
export { type PreferenceOptions, preference, reward } from './preference.js';
export { memoryOf, type PreferenceMemory } from './preference-memory.js';
export {
  hasOnlinePair,
  type PairEntropies,
  type PreferenceReadings,
  pairEntropies,
  pairScores,
} from './preference-rows.js';
export { sft } from './sft.js';
