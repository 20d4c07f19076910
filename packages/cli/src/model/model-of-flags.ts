import type { PartRecipe } from '@metaapo/core';
import { parsePartFlag } from '../recipe/parse-part-flag.js';

/** Flags of commands that open a model. */
export interface ModelFlags {
  /** A directory, a hub id, or YAML such as `{id: local, path: models/policy}`. */
  readonly model: string;
  readonly adapter?: string;
  readonly backend?: string;
  readonly precision?: string;
  readonly revision?: string;
}

/** The model that the flags of a command mean. */
export function modelOfFlags({ model, adapter, backend, precision, revision }: ModelFlags): PartRecipe {
  const options = Object.entries({ adapter, backend, precision, revision }).filter(([, value]) => value !== undefined);
  const named = model.trimStart().startsWith('{') ? parsePartFlag('--model', model) : { id: 'local', path: model };
  return { ...named, ...Object.fromEntries(options) };
}
