import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { readTextFile } from '@metaapo/core/storage';
import type { Document } from 'yaml';
import { BUILT_IN_RECIPES } from './built-in-recipes.js';
import { parseYamlDocument, parseYamlValue, plainValue } from './parse-yaml-value.js';

/** A recipe as written, with its overrides applied, before it is checked. */
export interface RawRecipe {
  /** File or built-in name, for messages. */
  readonly where: string;
  readonly value: unknown;
}

/**
 * Reads a recipe from a YAML file or a built-in name, and applies `--set key.path=value`; `--set key=` removes a key.
 * @throws MetaapoError with code `config` when there is no such recipe or it is no YAML, with line and column
 */
export async function readRecipe(recipe: string, overrides: readonly string[] = []): Promise<RawRecipe> {
  const { where, text } = await recipeText(recipe);
  const document = parseYamlDocument(where, text);
  for (const override of overrides) apply(document, override);
  return { where, value: plainValue(where, document) };
}

/**
 * The text of a built-in recipe.
 * @throws MetaapoError with code `config` for an unknown name
 */
export function builtInRecipe(name: string): string {
  const text = Object.hasOwn(BUILT_IN_RECIPES, name) ? BUILT_IN_RECIPES[name] : undefined;
  if (text !== undefined) return text;
  throw new MetaapoError('config', 'there is no such built-in recipe', {
    where: name,
    expected: Object.keys(BUILT_IN_RECIPES).join(', '),
    remedy: 'Choose one of them',
  });
}

async function recipeText(recipe: string): Promise<{ readonly where: string; readonly text: string }> {
  const builtIn = Object.hasOwn(BUILT_IN_RECIPES, recipe) ? BUILT_IN_RECIPES[recipe] : undefined;
  if (builtIn !== undefined) return { where: `recipe ${recipe}`, text: builtIn };
  try {
    return { where: recipe, text: await readTextFile(recipe, { mostBytes: 2 ** 20, code: 'config' }) };
  } catch (cause) {
    if (isMetaapoError(cause)) throw cause;
    throw new MetaapoError('config', 'there is no such recipe', {
      where: recipe,
      expected: `a YAML file, or one of ${Object.keys(BUILT_IN_RECIPES).join(', ')}`,
      cause,
      remedy: 'Check the path, or write a recipe with `metaapo init`',
    });
  }
}

function apply(document: Document, override: string): void {
  const { path, value } = parseOverride(override);
  const inside = path.slice(0, -1).findIndex((_, index) => isScalar(document.getIn(path.slice(0, index + 1))));
  if (inside >= 0 || isScalar(wholeValue(document))) {
    const holder = path.slice(0, inside + 1).join('.') || 'the recipe';
    throw new MetaapoError('config', `${holder} holds one value and no keys`, {
      where: `--set ${override}`,
      expected: `a value for ${holder}, or a key that it is below`,
      got: path.join('.'),
      remedy: 'Correct the key',
    });
  }
  try {
    if (value !== undefined) document.setIn(path, document.createNode(value));
    else if (document.hasIn(path)) document.deleteIn(path);
  } catch (cause) {
    throw new MetaapoError('config', 'the key cannot be set there', {
      where: `--set ${override}`,
      expected: 'a key below keys, not below an alias or a list',
      cause,
      remedy: 'Correct the key, or write the recipe without aliases',
    });
  }
}

/** True for text, numbers and the like, which have no keys. */
const isScalar = (value: unknown): boolean => value !== undefined && value !== null && typeof value !== 'object';

/** The whole value, as far as its aliases can be resolved. */
function wholeValue(document: Document): unknown {
  try {
    return document.toJS() ?? undefined;
  } catch {
    return undefined;
  }
}

/** `training.learningRate=1e-6` as a path and a value; the value is read as YAML, and none takes the key away. */
function parseOverride(override: string): { readonly path: readonly string[]; readonly value: unknown } {
  const at = override.indexOf('=');
  if (at < 1) {
    throw new MetaapoError('config', 'it sets no key', {
      where: `--set ${override}`,
      expected: 'key.path=value',
      got: override,
      remedy: 'Write for example --set training.learningRate=1e-6',
    });
  }
  const text = override.slice(at + 1);
  const path = override.slice(0, at).split('.');
  if (text.trim() === '') return { path, value: undefined };
  const number = Number(text);
  return { path, value: Number.isFinite(number) ? number : parseYamlValue(`--set ${override}`, text) };
}
