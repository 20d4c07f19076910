import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';

/** Keys of recipes whose values may be paths that are read: of models, and of anything else. */
const MODEL_KEYS = new Set(['model', 'reference', 'adapter', 'tokenizer']);
const OTHER_KEYS = new Set(['train', 'eval', 'path', 'init', 'plugins']);

/** False for a directory that is no model: opening it says what it lacks. */
const isModel = (path: string): boolean =>
  ['config.json', 'adapter_config.json', 'tokenizer.json'].some((name) => existsSync(join(path, name)));

/** Paths that a recipe or a part of one reads from, as far as its values are paths at all, and the recipe's own. */
export function inputsOf(recipe: object, file?: string): readonly string[] {
  const texts = (value: unknown): readonly string[] =>
    Array.isArray(value) ? value.filter((one) => typeof one === 'string') : typeof value === 'string' ? [value] : [];
  const inside = (value: unknown): readonly string[] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, inner]) => [
          ...(MODEL_KEYS.has(key) ? texts(inner).filter(isModel) : OTHER_KEYS.has(key) ? texts(inner) : []),
          ...inside(inner),
        ]);
  return [...(file === undefined ? [] : [file]), ...inside(recipe)];
}

/**
 * Looks whether an output is, holds or lies in something that is read. Names that are no paths, such as those of the
 * hub, are passed over.
 * @throws MetaapoError with code `config` that names both
 */
export function requireApart(output: string, inputs: readonly (string | undefined)[]): void {
  const place = realPlace(output);
  for (const input of inputs) {
    const other = input === undefined ? undefined : realPath(input);
    if (other === undefined || !(within(place, other) || within(other, place))) continue;
    throw new MetaapoError('config', 'the output is, holds or lies in what is read', {
      where: output,
      expected: `a place beside ${input}`,
      got: place === other ? 'the same place' : within(place, other) ? 'a place in it' : 'a place that holds it',
      remedy: 'Choose another output',
    });
  }
}

const within = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`);

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Where a path that need not be there would lie, links resolved. */
function realPlace(path: string): string {
  const whole = resolve(path);
  const found = realPath(whole);
  return found ?? (dirname(whole) === whole ? whole : join(realPlace(dirname(whole)), basename(whole)));
}
