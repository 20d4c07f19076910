export type { PairCounts } from './build-pairs.js';
export type { RewardEvaluation } from './held-out-reward.js';
export type { IterationSummary } from './iteration-summary.js';
export type { KlEstimate } from './kl-to-reference.js';
export { type RunSummary, runIterations } from './run-iterations.js';
export type { IterationParts, ReferenceSource, RunObserver, RunOptions, Stage } from './run-options.js';
export type { RunPrompt } from './run-prompt.js';
export { type ScoredRow, type SelectionInput, selectPrompts } from './select-prompts.js';
export type { ServingCheck } from './serving-check.js';
