import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import {
  isRunRecipe,
  type ParsedObjective,
  type ParsedRun,
  parseObjectiveRecipe,
  parseRunRecipe,
} from '@metaapo/core/recipe';
import { RUN_FILES } from '@metaapo/core/storage';
import { type RawRecipe, readRecipe } from './read-recipe.js';
import { requireNamedPaths } from './require-named-paths.js';
import type { RunFlags } from './run-flags.js';

/** A checked recipe of one training, with every default filled in. */
export interface CheckedTraining extends ParsedObjective {
  /** File or built-in name, for messages. */
  readonly where: string;
}

/** A checked recipe of a whole run, with every default filled in. */
export interface CheckedRun extends ParsedRun {
  readonly where: string;
}

/** What decides how a recipe is read. */
export interface RecipeCommand {
  readonly name: string;
  readonly set?: RunFlags['set'];
  /** Id of the objective where the recipe names none. */
  readonly objective: string;
}

/**
 * The recipe of a training, checked as far as that needs no part, with its paths: errors come before anything is loaded.
 * @throws MetaapoError with code `config` when there is none, it is not accepted, it is one of a whole run, or a path in
 * it leads nowhere
 */
export async function checkedTraining({ name, set, objective }: RecipeCommand): Promise<CheckedTraining> {
  const raw = await readNamed(name, set);
  if (isRunRecipe(raw.value)) throw wholeRun(raw);
  return trainingOf(raw, objective);
}

/** The recipe of a whole run, or of one training, checked like that of {@link checkedTraining}. */
export async function checkedRecipe({ name, set, objective }: RecipeCommand): Promise<CheckedRun | CheckedTraining> {
  const raw = await readNamed(name, set);
  if (!isRunRecipe(raw.value)) return trainingOf(raw, objective);
  const parsed = parseRunRecipe(raw.value, raw.where);
  requireNamedPaths(parsed.recipe);
  return { where: raw.where, ...parsed };
}

/** True for the recipe of a whole run. */
export const isCheckedRun = (recipe: CheckedRun | CheckedTraining): recipe is CheckedRun => isRunRecipe(recipe.recipe);

async function readNamed(name: string, set: RunFlags['set']): Promise<RawRecipe> {
  const raw = await readRecipe(name, set);
  const keys = raw.leftOut ?? [];
  if (keys.length > 0) {
    process.stderr.write(`${raw.where}: with another data set its ${keys.join(', ')} are left out\n`);
  }
  return raw;
}

function trainingOf({ where, value }: RawRecipe, objective: string): CheckedTraining {
  const parsed = parseObjectiveRecipe(value, where, objective);
  requireNamedPaths(parsed.recipe);
  return { where, ...parsed };
}

function wholeRun({ where }: RawRecipe): MetaapoError {
  const directory = dirname(where);
  const isKept = basename(where) === RUN_FILES.recipe && existsSync(join(directory, RUN_FILES.journal));
  const command = isKept ? `--resume ${directory}` : where.replace(/^recipe /, '');
  const otherwise = isKept ? '' : ', or take out what `metaapo train` does not know';
  return new MetaapoError('config', 'this is a recipe of a whole run, with sampling and rewards', {
    where,
    expected: 'a recipe of one training',
    remedy: `Run it with \`metaapo run ${command}\`${otherwise}`,
  });
}
