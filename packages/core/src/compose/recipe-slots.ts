import {
  ANNOTATION_RULE,
  type AnnotationRule,
  LOSS,
  META_LEARNER,
  type MetaLearner,
  MODEL,
  type ModelSource,
  OBJECTIVE,
  type Objective,
  PAIR_RULE,
  type PairRule,
  type PreferenceLoss,
  REWARD_MODEL,
  type ResponseSampler,
  type RewardModel,
  SAMPLER,
  SELECTION_RULE,
  type SelectionRule,
  type Slot,
  TRACKER,
  type Tracker,
} from '../contracts/index.js';

/** A part by id, with its options beside the id. */
export interface PartRecipe {
  readonly id: string;
  readonly [option: string]: unknown;
}

/** The parts of a run by the key of the recipe that names them. */
export interface RunParts {
  readonly model: ModelSource;
  readonly reference: ModelSource;
  readonly objective: Objective;
  readonly loss: PreferenceLoss;
  readonly metaLearner: MetaLearner;
  readonly selection: SelectionRule;
  readonly sampler: ResponseSampler;
  readonly rewardModel: RewardModel;
  readonly annotation: AnnotationRule;
  readonly pairs: PairRule;
  readonly trackers: readonly Tracker[];
}

/** A key of a recipe that names a part, or a list of parts. */
export type PartKey = keyof RunParts;

/** Which part, or list of parts, fills each key; what a recipe does not name is not made. */
export type PartsRecipe = {
  readonly [Key in PartKey]?:
    | (RunParts[Key] extends readonly unknown[] ? readonly PartRecipe[] : PartRecipe)
    | undefined;
};

/** The slot of every key of a recipe that names parts. */
export const RECIPE_SLOTS: { readonly [Key in PartKey]: Slot<unknown> } = {
  model: MODEL,
  reference: MODEL,
  objective: OBJECTIVE,
  loss: LOSS,
  metaLearner: META_LEARNER,
  selection: SELECTION_RULE,
  sampler: SAMPLER,
  rewardModel: REWARD_MODEL,
  annotation: ANNOTATION_RULE,
  pairs: PAIR_RULE,
  trackers: TRACKER,
};

/** The keys, in the order in which parts are made. */
export const PART_KEYS = Object.keys(RECIPE_SLOTS) as readonly PartKey[];
