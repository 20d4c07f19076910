import { readFile } from 'node:fs/promises';
import { MetaapoError } from '@metaapo/core/contracts';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { BUILT_IN_RECIPES } from './built-in-recipes.js';
import { parseYamlValue } from './parse-yaml-value.js';

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
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.pos[0]);
    throw new MetaapoError('config', fault.message.split('\n')[0]!, {
      where: `${where}, line ${line}, column ${col}`,
      remedy: 'Correct the YAML',
    });
  }
  for (const override of overrides) apply(document, override);
  return { where, value: document.toJS() };
}

/**
 * The text of a built-in recipe.
 * @throws MetaapoError with code `config` for an unknown name
 */
export function builtInRecipe(name: string): string {
  const text = BUILT_IN_RECIPES[name];
  if (text !== undefined) return text;
  throw new MetaapoError('config', 'there is no such built-in recipe', {
    where: name,
    expected: Object.keys(BUILT_IN_RECIPES).join(', '),
    remedy: 'Choose one of them',
  });
}

async function recipeText(recipe: string): Promise<{ readonly where: string; readonly text: string }> {
  const builtIn = BUILT_IN_RECIPES[recipe];
  if (builtIn !== undefined) return { where: `recipe ${recipe}`, text: builtIn };
  try {
    return { where: recipe, text: await readFile(recipe, 'utf8') };
  } catch (cause) {
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
  if (inside >= 0 || isScalar(document.toJS() ?? undefined)) {
    const holder = path.slice(0, inside + 1).join('.') || 'the recipe';
    throw new MetaapoError('config', `${holder} holds one value and no keys`, {
      where: `--set ${override}`,
      expected: `a value for ${holder}, or a key that it is below`,
      got: path.join('.'),
      remedy: 'Correct the key',
    });
  }
  if (value === undefined) document.deleteIn(path);
  else document.setIn(path, document.createNode(value));
}

/** True for text, numbers and the like, which have no keys. */
const isScalar = (value: unknown): boolean => value !== undefined && value !== null && typeof value !== 'object';

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
