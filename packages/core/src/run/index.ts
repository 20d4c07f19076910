export { checkRounds } from './annotation/annotate-rows.js';
export { type AnnotationBudget, annotationLimit, type BudgetProgress } from './annotation/annotation-limit.js';
export type { RewardEvaluation } from './annotation/held-out-reward.js';
export { type IterationSlice, iterationSlices, type SliceOptions } from './iteration-slices.js';
export { type RunSummary, runIterations } from './run-iterations.js';
export type { IterationParts, ReferenceSource, RunOptions, RunPrompt } from './run-options.js';
export { featuresOf } from './selection/row-features.js';
export { type ScoredRow, type SelectionInput, selectPrompts } from './selection/select-prompts.js';
export { ITERATION_METRICS } from './summary/iteration-metrics.js';
