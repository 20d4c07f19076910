import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RUN_FILES } from '@metaapo/core/storage';
import { z } from 'zod';
import { parseYaml } from './parse-yaml-value.js';

/** What is read of a recipe to know its day. */
interface DatedRecipe {
  readonly output: string;
  readonly data: { readonly templateDate?: string | undefined };
}

/**
 * The recipe with the day that chat templates write, so that all texts of a run have one, whenever it is resumed: the
 * recipe's own, that of the run that is resumed, or today.
 */
export async function withTemplateDate<Recipe extends DatedRecipe>(recipe: Recipe, resume: boolean): Promise<Recipe> {
  if (recipe.data.templateDate !== undefined) return recipe;
  const templateDate = (resume ? await keptDate(recipe.output) : undefined) ?? today();
  return { ...recipe, data: { ...recipe.data, templateDate } };
}

/** The beginning of a day, `2026-01-31`, in this machine's time zone. */
export function startOfDay(day: string): Date {
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year!, month! - 1, date);
}

/** What is read of the recipe that a run directory keeps; one whose day is none has none. */
const keptRecipe = z.object({ data: z.object({ templateDate: z.iso.date() }) });

async function keptDate(output: string): Promise<string | undefined> {
  const file = join(output, RUN_FILES.recipe);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : keptRecipe.safeParse(parseYaml(file, text)).data?.data.templateDate;
}

function today(): string {
  const now = new Date();
  const parts = [now.getFullYear(), now.getMonth() + 1, now.getDate()];
  return parts.map((part) => String(part).padStart(2, '0')).join('-');
}
