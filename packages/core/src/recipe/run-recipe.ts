import { z } from 'zod';
import { withModelOptions } from './model-section.js';
import { parseWith } from './parse-recipe.js';
import { checkConflicts, commonSections, metaLearnerSection, part, partOr } from './training-recipe.js';

const count = z.int().positive();

const runFields = z.strictObject({
  ...commonSections,
  /** What weighs the pairs; a run always has one. */
  metaLearner: metaLearnerSection.prefault({}),
  unselected: z.enum(['keep', 'drop']).default('keep'),
  iterations: count.default(3),
  /** Rows of an iteration; default an equal share of all. */
  promptsPerIteration: count.optional(),
  /** New responses a selected prompt, K. */
  responsesPerPrompt: z.int().min(2).default(8),
  selection: partOr('meta'),
  sampler: partOr('local'),
  rewardModel: part,
  /** Which responses get a reward call. */
  annotation: partOr('all'),
  pairs: partOr('best-worst'),
  /** Responses cut at the limit: kept without an end-of-sequence token, or left out. */
  truncated: z.enum(['keep', 'drop']).default('keep'),
  /** `previous`: the policy as it was before the last iteration; `fixed`: the first reference for ever. */
  referencePolicy: z.enum(['previous', 'fixed']).default('previous'),
  /** Bound on annotation over the whole run: a share of the prompts, or a number of reward calls. */
  budget: z
    .union([z.strictObject({ share: z.number().gt(0).max(1) }), z.strictObject({ rewardCalls: count })])
    .optional(),
  /** Held-out prompts that are sampled and scored before the first and after every iteration; default none. */
  evaluateRewards: count.optional(),
  /** Tokens of the KV cache, for the prompts and responses of a batch while generating. */
  cachedTokens: count.default(16_384),
});

/** A recipe of `metaapo run`: the whole loop. */
export const runRecipe = runFields.superRefine(checkConflicts).transform(withModelOptions);

const RUN_KEYS = Object.keys(runFields.shape).filter((key) => !Object.hasOwn(commonSections, key));

/** True for a recipe, checked or not, that speaks of a whole run and not of one training alone. */
export function isRunRecipe(value: unknown): boolean {
  return typeof value === 'object' && value !== null && RUN_KEYS.some((key) => Object.hasOwn(value, key));
}

/** A checked recipe of a whole run with every default filled in. */
export type RunRecipe = z.output<typeof runRecipe>;

/**
 * A checked run recipe with every default filled in.
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseRunRecipe(value: unknown, where: string): RunRecipe {
  return parseWith(runRecipe, value, where);
}
