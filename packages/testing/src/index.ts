export {
  checkAnnotationEnd,
  checkAnnotationLogprobs,
  checkAnnotationPurity,
  checkAnnotationRequests,
  checkAnnotationRewards,
  checkAnnotationRounds,
} from './annotation-rules/annotation-rounds.js';
export type { AnnotationRuleFlags } from './annotation-rules/annotation-rule-flags.js';
export { describeAnnotationRule } from './annotation-rules/describe-annotation-rule.js';
export { checkOptions, type PartFace } from './check-options.js';
export { ConformanceError } from './conformance-error.js';
export { describeLoss } from './losses/describe-loss.js';
export { checkLossDeclarations } from './losses/loss-declarations.js';
export { checkLossDirection, checkLossRewards } from './losses/loss-direction.js';
export type { LossFlags } from './losses/loss-flags.js';
export { checkLossGradients, checkLossRewardsDetached } from './losses/loss-gradients.js';
export { checkLossLeaks, checkLossPurity } from './losses/loss-purity.js';
export { checkLossReference, checkLossShift } from './losses/loss-reference.js';
export { checkLossState } from './losses/loss-state.js';
export { checkLossCoupling, checkLossPermutation, checkLossSwap } from './losses/loss-symmetry.js';
export { checkLossTokens } from './losses/loss-tokens.js';
export { checkLossFinite, checkLossShapes } from './losses/loss-values.js';
export { describeMetaLearner } from './meta-learners/describe-meta-learner.js';
export {
  checkMetaLearnerForeignState,
  checkMetaLearnerInitialState,
  checkMetaLearnerStored,
} from './meta-learners/learner-state.js';
export {
  checkMetaLearnerBuffers,
  checkMetaLearnerDirection,
  checkMetaLearnerLoss,
  checkMetaLearnerUpdate,
} from './meta-learners/learner-update.js';
export { checkMetaLearnerEntropy, checkMetaLearnerWeights } from './meta-learners/learner-weights.js';
export type { MetaLearnerFlags } from './meta-learners/meta-learner-flags.js';
export { describeModel } from './models/describe-model.js';
export type { ModelFlags } from './models/model-flags.js';
export { checkModelGeneration, checkModelSeeds } from './models/model-generation.js';
export {
  checkModelDescription,
  checkModelPasses,
  checkModelReference,
  checkModelTokens,
} from './models/model-passes.js';
export { checkModelSaved, checkModelState } from './models/model-states.js';
export {
  checkModelAccumulation,
  checkModelClipping,
  checkModelGradients,
  checkModelNonFinite,
} from './models/model-updates.js';
export { describeObjective } from './objectives/describe-objective.js';
export {
  checkObjectiveDeclarations,
  checkObjectiveEvaluation,
  checkObjectiveFinite,
  checkObjectiveGradient,
  checkObjectiveOutcome,
  checkObjectivePieces,
  checkObjectivePurity,
  checkObjectiveReference,
} from './objectives/objective-batch.js';
export type { ObjectiveFlags } from './objectives/objective-flags.js';
export { checkObjectiveInitialState, checkObjectiveResumed } from './objectives/objective-state.js';
export { describePairRule } from './pair-rules/describe-pair-rule.js';
export {
  checkPairMembers,
  checkPairOffline,
  checkPairOrder,
  checkPairPurity,
  checkPairReasons,
  checkPairRewards,
} from './pair-rules/pair-outcomes.js';
export type { PairRuleFlags } from './pair-rules/pair-rule-flags.js';
export { describeRewardModel } from './reward-models/describe-reward-model.js';
export {
  checkRewardAbort,
  checkRewardFingerprint,
  checkRewardOrder,
  checkRewardValues,
} from './reward-models/model-rewards.js';
export type { RewardModelFlags } from './reward-models/reward-model-flags.js';
export { describeSampler } from './samplers/describe-sampler.js';
export type { SamplerFlags } from './samplers/sampler-flags.js';
export { checkSamplerProbe } from './samplers/sampler-probe.js';
export {
  checkSamplerAbort,
  checkSamplerCounts,
  checkSamplerLogprobs,
  checkSamplerResponses,
  checkSamplerSeeds,
} from './samplers/sampler-responses.js';
export { describeSelectionRule } from './selection-rules/describe-selection-rule.js';
export {
  checkSelectionEmpty,
  checkSelectionIndices,
  checkSelectionLimit,
  checkSelectionOrder,
  checkSelectionPurity,
  checkSelectionWeights,
} from './selection-rules/rule-selection.js';
export type { SelectionRuleFlags } from './selection-rules/selection-rule-flags.js';
export type { Check, CreatePart, PartFlags, TestRunner } from './test-runner.js';
export { describeTracker } from './trackers/describe-tracker.js';
export type { TrackerFlags } from './trackers/tracker-flags.js';
export {
  checkTrackerEvents,
  checkTrackerManyMetrics,
  checkTrackerNonFinite,
  checkTrackerNothingLogged,
  checkTrackerSteps,
} from './trackers/tracker-log.js';
