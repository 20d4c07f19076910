import type { PartRecipe } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { parse } from 'yaml';

/**
 * A part as a flag names it: an id, or YAML such as `{id: simpo, beta: 2.5}`.
 * @throws MetaapoError with code `config` when it names none
 */
export function parsePartFlag(flag: string, text: string): PartRecipe {
  const value: unknown = parse(text);
  if (typeof value === 'string') return { id: value };
  if (typeof value === 'object' && value !== null && 'id' in value) return value as PartRecipe;
  throw new MetaapoError('config', 'it names no part', {
    where: flag,
    expected: 'an id, or {id: ..., ...}',
    got: text,
  });
}
