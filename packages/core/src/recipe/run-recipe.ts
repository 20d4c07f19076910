import { z } from 'zod';
import { metaLearnerSection, part, partOr } from '../objectives/part-sections.js';
import { withModelOptions } from './model-section.js';
import { idIn, lifted, type ParsedObjective } from './objective-recipe.js';
import { parseWith } from './parse-recipe.js';
import { checkConflicts, commonSections, count, namedObjective, tokenCount } from './training-recipe.js';

/** What every run has, whatever it trains. */
const { loss: lossSection, metaLearner: _, unselected: __, ...sections } = commonSections;

const loop = {
  iterations: z.int().positive().max(100_000).default(3),
  /** Rows of an iteration; default an equal share of all. */
  promptsPerIteration: count.optional(),
  /** New responses a selected prompt, K. */
  responsesPerPrompt: z.int().min(2).max(10_000).default(8),
  /** Whose they are: the policy's, or K of the policy and K of the reference of the iteration. */
  responsesFrom: z.enum(['policy', 'both']).default('policy'),
  selection: partOr('meta'),
  sampler: partOr('local'),
  rewardModel: part,
  /** Which responses get a reward call. */
  annotation: partOr('all'),
  /**
   * Responses cut at the limit: kept without an end, kept with a space and the end-of-sequence token behind them (as OpenRLHF
   * ends a text that has no end), or left out.
   */
  truncated: z.enum(['keep', 'keep-ended', 'drop']).default('keep'),
  /** AdamW's moments and its number of steps when an iteration begins: those of the one before, or zero. */
  optimizerState: z.enum(['carry', 'fresh']).default('carry'),
  /** `previous`: the policy as it was before the last iteration; `fixed`: the first reference for ever. */
  referencePolicy: z.enum(['previous', 'fixed']).default('previous'),
  /** Bound on annotation over the whole run: a share of the prompts, or a number of reward calls. */
  budget: z
    .union([z.strictObject({ share: z.number().gt(0).max(1) }), z.strictObject({ rewardCalls: count })])
    .optional(),
  /** Held-out prompts that are sampled and scored before the first and after every iteration; default none. */
  evaluateRewards: count.optional(),
  /** Tokens of the KV cache, for the prompts and responses of a batch while generating. */
  cachedTokens: tokenCount.default(16_384),
};

const preferenceFields = z.strictObject({
  ...sections,
  ...loop,
  objective: namedObjective('preference'),
  loss: lossSection,
  /** What weighs the pairs; a run of preferences always has one. */
  metaLearner: metaLearnerSection.prefault({}),
  unselected: z.enum(['keep', 'drop']).default('drop'),
  pairs: partOr('best-worst'),
});

/** A recipe of `metaapo run` that trains preferences: the whole loop of MetaAPO. */
export const runRecipe = preferenceFields.superRefine(checkConflicts).transform(withModelOptions);

/** One that trains another objective, whose options are in its section: no pairs, and no scores to select by. */
const otherRunRecipe = z
  .strictObject({ ...sections, ...loop, objective: part, selection: partOr('all') })
  .superRefine(checkConflicts)
  .transform(withModelOptions);

const RUN_KEYS = [...Object.keys(loop), 'pairs'];

/** True for a recipe, checked or not, that speaks of a whole run and not of one training alone. */
export function isRunRecipe(value: unknown): boolean {
  return typeof value === 'object' && value !== null && RUN_KEYS.some((key) => Object.hasOwn(value, key));
}

/** A checked recipe of a whole run with every default filled in. */
export type RunRecipe = Omit<z.output<typeof otherRunRecipe>, 'objective'> &
  Partial<Pick<z.output<typeof runRecipe>, 'pairs'>>;

/** A checked recipe of a whole run, with the objective that it means. */
export interface ParsedRun {
  readonly recipe: RunRecipe;
  readonly objective: ParsedObjective['objective'];
}

/**
 * A checked run recipe. `objective: { id }` says what is trained, by default preferences; options of that one may stand inside
 * of it or at the top of the recipe.
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseRunRecipe(value: unknown, where: string): ParsedRun {
  const id = idIn(value) ?? 'preference';
  if (id === 'preference') {
    const recipe = parseWith(runRecipe, lifted(value, id, where), where);
    const { loss, metaLearner, unselected } = recipe;
    return { recipe, objective: { id, loss, metaLearner, unselected } };
  }
  const recipe = parseWith(otherRunRecipe, value, where);
  return { recipe, objective: recipe.objective };
}
