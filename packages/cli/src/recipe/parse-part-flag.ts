import type { PartRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { parseYamlValue } from './parse-yaml-value.js';

/**
 * A part as a flag names it: an id, or YAML such as `{id: simpo, beta: 2.5}`.
 * @throws MetaapoError with code `config` when it names none
 */
export function parsePartFlag(flag: string, text: string): PartRecipe {
  const value = parseYamlValue(flag, text);
  if (typeof value === 'string') return { id: value };
  const id = (value as { readonly id?: unknown } | null)?.id;
  if (typeof id === 'string') return value as PartRecipe;
  throw new MetaapoError('config', 'it names no part', {
    where: flag,
    expected: 'an id, or {id: ..., ...}',
    got: text,
    remedy: 'See the ids with `metaapo plugins`',
  });
}
