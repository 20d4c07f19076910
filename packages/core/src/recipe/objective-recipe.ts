import { z } from 'zod';
import { MetaapoError } from '../contracts/index.js';
import { part } from '../objectives/part-sections.js';
import { modelOptions, withModelOptions } from './model-section.js';
import { parseWith } from './parse-recipe.js';
import { sftRecipe } from './sft-recipe.js';
import {
  checkConflicts,
  commonSections,
  dataSection,
  responseEnd,
  rewardRecipe,
  trainingRecipe,
} from './training-recipe.js';

/** A recipe of an objective that has no recipe of its own: its options are in its section. */
const otherRecipe = z
  .strictObject({
    objective: part,
    model: commonSections.model,
    reference: commonSections.reference,
    ...modelOptions,
    training: commonSections.training,
    /** With what only some forms of rows have; the others refuse it. */
    data: dataSection.extend({
      /** Of demonstrations: column of the responses or conversations. */
      column: z.string().min(1).optional(),
      /** Of demonstrations: which of the assistant's messages in a conversation are trained. */
      turns: z.enum(['all', 'last']).optional(),
      /** Of pairs: where the responses of conversations end; default end-of-turn. */
      responseEnd: responseEnd.optional(),
      /** Of judged responses: `split` takes the two responses of every pair. */
      pairs: z.enum(['split']).optional(),
    }),
    trackers: commonSections.trackers,
    plugins: commonSections.plugins,
    revision: commonSections.revision,
    output: commonSections.output,
  })
  .superRefine(checkConflicts)
  .transform(withModelOptions);

/** What every checked recipe of one training has, whatever its objective. */
export type ObjectiveRecipe = Omit<z.output<typeof otherRecipe>, 'objective'>;

/** A checked recipe of one training, with the objective that it means. */
export interface ParsedObjective {
  /** Every default filled in; keys of the objective as they were written. */
  readonly recipe: ObjectiveRecipe;
  readonly objective: { readonly id: string; readonly [option: string]: unknown };
}

/** Options of objectives that may stand at the top of a recipe. */
const SUGAR: Readonly<Record<string, readonly string[]>> = {
  preference: ['loss', 'metaLearner', 'unselected'],
  reward: ['loss'],
};

/**
 * A checked recipe of one training. `objective: { id }` says what is trained; options of `preference` and `reward` may stand
 * inside of it or at the top of the recipe.
 * @param fallback id of the objective where the recipe names none
 * @throws MetaapoError with code `config` that names the key, and for an unknown one the nearest spelling
 */
export function parseObjectiveRecipe(value: unknown, where: string, fallback = 'preference'): ParsedObjective {
  const id = idIn(value) ?? fallback;
  if (id === 'sft') return { recipe: parseWith(sftRecipe, value, where), objective: { id } };
  if (id === 'preference') {
    const recipe = parseWith(trainingRecipe, lifted(value, id, where), where);
    const { loss, metaLearner, unselected } = recipe;
    return { recipe, objective: { id, loss, ...(metaLearner && { metaLearner, unselected }) } };
  }
  if (id === 'reward') {
    const recipe = parseWith(rewardRecipe, lifted(value, id, where), where);
    return { recipe, objective: { id, loss: recipe.loss } };
  }
  const given = typeof value === 'object' && value !== null ? value : {};
  const recipe = parseWith(otherRecipe, { objective: { id }, ...given }, where);
  return { recipe, objective: recipe.objective };
}

/** Id of the objective that a recipe, checked or not, names. */
export function idIn(value: unknown): string | undefined {
  const objective = (value as { objective?: unknown } | null | undefined)?.objective;
  const id = typeof objective === 'string' ? objective : (objective as { id?: unknown } | null | undefined)?.id;
  return typeof id === 'string' ? id : undefined;
}

/**
 * The recipe with the options of its objective at its top.
 * @throws MetaapoError with code `config` when one is given in both places
 */
export function lifted(value: unknown, id: string, where: string): unknown {
  const { objective } = (value ?? {}) as { readonly objective?: Readonly<Record<string, unknown>> };
  if (typeof objective !== 'object' || objective === null) return value;
  const top: Record<string, unknown> = { ...(value as object) };
  const rest: Record<string, unknown> = { ...objective };
  for (const key of SUGAR[id]!) {
    if (!Object.hasOwn(rest, key)) continue;
    if (Object.hasOwn(top, key)) {
      throw new MetaapoError('config', `${key} is given twice`, {
        where,
        expected: `${key} at the top of the recipe, or objective.${key}`,
        remedy: 'Take one of them out',
      });
    }
    top[key] = rest[key];
    delete rest[key];
  }
  return { ...top, objective: rest };
}
