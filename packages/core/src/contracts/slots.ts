import type { AnnotationRule } from './annotation-rule.js';
import type { MetaLearner } from './meta-learner.js';
import type { ModelSource } from './model-source.js';
import type { Objective } from './objective.js';
import type { PairRule } from './pair-rule.js';
import type { PreferenceLoss } from './preference-loss.js';
import type { ResponseSampler } from './response-sampler.js';
import type { RewardModel } from './reward-model.js';
import type { SelectionRule } from './selection-rule.js';
import type { Tracker } from './tracker.js';

declare const PART: unique symbol;

/** A typed symbol: the place of one kind of part. Equal in every copy of this package. */
export type Slot<Part> = symbol & { readonly [PART]?: Part };

const slot = <Part>(name: string): Slot<Part> => Symbol.for(`@metaapo/slot:${name}`) as Slot<Part>;

/** Slot of model sources, which open the model that is trained, and references. */
export const MODEL: Slot<ModelSource> = slot('model');
/** Slot of preference losses. */
export const LOSS: Slot<PreferenceLoss> = slot('loss');
/** Slot of objectives: what is trained. */
export const OBJECTIVE: Slot<Objective> = slot('objective');
/** Slot of meta-learners, which weigh pairs. */
export const META_LEARNER: Slot<MetaLearner> = slot('meta-learner');
/** Slot of selection rules, which choose the prompts that get new responses. */
export const SELECTION_RULE: Slot<SelectionRule> = slot('selection-rule');
/** Slot of samplers, which write responses. */
export const SAMPLER: Slot<ResponseSampler> = slot('sampler');
/** Slot of reward models, which score responses. */
export const REWARD_MODEL: Slot<RewardModel> = slot('reward-model');
/** Slot of annotation rules, which say which responses are worth a reward call. */
export const ANNOTATION_RULE: Slot<AnnotationRule> = slot('annotation-rule');
/** Slot of pair rules, which make preferences of scored responses. */
export const PAIR_RULE: Slot<PairRule> = slot('pair-rule');
/** Slot of trackers, which receive metrics. */
export const TRACKER: Slot<Tracker> = slot('tracker');

/** A part in messages: its slot in words and its id, e.g. `selection rule random`. */
export function partName(of: Slot<unknown>, id: string): string {
  return `${slotName(of).replace(/-(rule|model)$/, ' $1')} ${id}`;
}

/** Name of a slot in lists, e.g. `selection-rule`. */
export function slotName(of: Slot<unknown>): string {
  return of.description?.replace('@metaapo/slot:', '') ?? 'unknown';
}
