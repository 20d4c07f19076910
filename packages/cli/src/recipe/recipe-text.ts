import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMetaapoError, MetaapoError, nearest } from '@metaapo/core/contracts';
import { RUN_FILES, readTextFile } from '@metaapo/core/storage';
import { BUILT_IN_NAMES, BUILT_IN_RECIPES } from './built-in-recipes.js';
import { nearestPath } from './nearest-path.js';

/** The text of a recipe, before anything is made of it. */
export interface RecipeText {
  /** File or built-in name, for messages. */
  readonly where: string;
  readonly text: string;
  readonly isBuiltIn: boolean;
}

/** What a recipe is to be, for messages. */
const EXPECTED = `a YAML file, or one of ${BUILT_IN_NAMES}`;

/**
 * The text of a built-in recipe.
 * @throws MetaapoError with code `config` for an unknown name
 */
export function builtInRecipe(name: string): string {
  const text = Object.hasOwn(BUILT_IN_RECIPES, name) ? BUILT_IN_RECIPES[name] : undefined;
  if (text !== undefined) return text;
  const meant = nearest(name, Object.keys(BUILT_IN_RECIPES));
  throw new MetaapoError('config', 'there is no such built-in recipe', {
    where: name,
    expected: BUILT_IN_NAMES,
    remedy: meant === undefined ? 'Choose one of them' : `Did you mean ${meant}?`,
  });
}

/**
 * The text of a YAML file or of a built-in recipe.
 * @throws MetaapoError with code `config` for what is neither, which says what it is and what was meant
 */
export async function recipeText(recipe: string): Promise<RecipeText> {
  if (Object.hasOwn(BUILT_IN_RECIPES, recipe)) {
    return { where: `recipe ${recipe}`, text: builtInRecipe(recipe), isBuiltIn: true };
  }
  const found = statSync(recipe, { throwIfNoEntry: false });
  if (found === undefined) throw absent(recipe);
  if (found.isDirectory()) throw directory(recipe);
  if (/\.(jsonl|ndjson|parquet)$/i.test(recipe)) throw dataFile(recipe);
  try {
    return {
      where: recipe,
      text: await readTextFile(recipe, { mostBytes: 2 ** 20, code: 'config' }),
      isBuiltIn: false,
    };
  } catch (cause) {
    if (isMetaapoError(cause)) throw cause;
    throw new MetaapoError('config', 'it cannot be read', {
      where: recipe,
      expected: EXPECTED,
      cause,
      remedy: 'Check that you may read it',
    });
  }
}

function absent(recipe: string): MetaapoError {
  const meant = nearest(recipe, Object.keys(BUILT_IN_RECIPES)) ?? nearestPath(recipe);
  return new MetaapoError('config', 'there is no such recipe', {
    where: recipe,
    expected: EXPECTED,
    remedy: meant === undefined ? 'Check the path, or write a recipe with `metaapo init`' : `Did you mean ${meant}?`,
  });
}

function directory(path: string): MetaapoError {
  const isThere = (name: string): boolean => existsSync(join(path, name));
  const refused = (got: string, remedy: string): MetaapoError =>
    new MetaapoError('config', 'this is a directory, and no recipe', { where: path, expected: EXPECTED, got, remedy });
  if (isThere(RUN_FILES.journal) || isThere(RUN_FILES.metrics)) {
    const again = `begin it again with ${join(path, RUN_FILES.recipe)} and --set output=...`;
    return refused('the directory of a run', `Go on with it with --resume ${path}, or ${again}`);
  }
  if (isThere('config.json')) return refused('a model', `Name it in a recipe, or with --set model=${path}`);
  const [file] = readdirSync(path).filter((name) => /\.ya?ml$/.test(name));
  return refused('a directory', file === undefined ? 'Give a file' : `Did you mean ${join(path, file)}?`);
}

function dataFile(path: string): MetaapoError {
  return new MetaapoError('config', 'this is a file of data, and no recipe', {
    where: path,
    expected: EXPECTED,
    got: basename(path),
    remedy: `Name it in a recipe, or with --set data.train=${path}`,
  });
}
