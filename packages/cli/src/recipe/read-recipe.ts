import { MetaapoError } from '@metaapo/core/contracts';
import type { Document } from 'yaml';
import { parseYamlDocument, parseYamlValue, plainValue, refuseWholeFloats } from './parse-yaml-value.js';
import { recipeText } from './recipe-text.js';

/** A recipe as written, with its overrides applied, before it is checked. */
export interface RawRecipe {
  /** File or built-in name, for messages. */
  readonly where: string;
  readonly value: unknown;
  /** Keys of a built-in recipe that were left out, since they are those of another data set. */
  readonly leftOut?: readonly string[];
}

/**
 * Reads a recipe from a YAML file or a built-in name, and applies `--set key.path=value`; `--set key=` removes a key. With
 * another data set a built-in recipe loses the splits and the held-out rows of its own.
 * @throws MetaapoError with code `config` when there is no such recipe or it is no YAML, with line and column
 */
export async function readRecipe(recipe: string, overrides: readonly string[] = []): Promise<RawRecipe> {
  const { where, text, isBuiltIn } = await recipeText(recipe);
  const document = parseYamlDocument(where, text);
  refuseWholeFloats(where, document);
  const parsed = overrides.map(parseOverride);
  const isElsewhere = parsed.some(({ path, value }) => path.join('.') === 'data.train' && value !== undefined);
  const leftOut = isBuiltIn && isElsewhere ? OF_ITS_DATA_SET.filter((key) => document.deleteIn(['data', key])) : [];
  for (const override of parsed) apply(document, override);
  return { where, value: plainValue(where, document), leftOut };
}

/** Keys of a built-in recipe that mean nothing for another data set than its own. */
const OF_ITS_DATA_SET = ['trainSplit', 'eval', 'evalSplit'];

function apply(document: Document, { where, path, value }: Override): void {
  const inside = path.slice(0, -1).findIndex((_, index) => isScalar(document.getIn(path.slice(0, index + 1))));
  if (inside >= 0 || isScalar(wholeValue(document))) {
    const holder = path.slice(0, inside + 1).join('.') || 'the recipe';
    throw new MetaapoError('config', `${holder} holds one value and no keys`, {
      where,
      expected: `a value for ${holder}, or a key that it is below`,
      got: path.join('.'),
      remedy: `Correct the key; a part with options is written as {id: name, option: value}`,
    });
  }
  try {
    if (value !== undefined) document.setIn(path, document.createNode(value));
    else if (document.hasIn(path)) document.deleteIn(path);
  } catch (cause) {
    throw new MetaapoError('config', 'the key cannot be set there', {
      where,
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

/** What `--set` says; no value takes the key away. */
interface Override {
  /** The flag with its key, for messages: a value may be a secret in the wrong place. */
  readonly where: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** `training.learningRate=1e-6` as a path and a value, which is read as YAML. */
function parseOverride(override: string): Override {
  const at = override.indexOf('=');
  if (at < 1) {
    throw new MetaapoError('config', 'it sets no key', {
      where: `--set ${override}`,
      expected: 'key.path=value',
      got: override,
      remedy: 'Write for example --set training.learningRate=1e-6',
    });
  }
  const value = override.slice(at + 1);
  const key = override.slice(0, at);
  const named = { where: `--set ${key}`, path: key.split('.') };
  if (value.trim() === '') return { ...named, value: undefined };
  const parsed = parseYamlValue(named.where, value, named.path);
  const number = Number(value);
  return { ...named, value: Number.isFinite(number) ? number : parsed };
}
