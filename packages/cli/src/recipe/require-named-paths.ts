import { isAbsolute } from 'node:path';
import { type PathKind, requireThere } from './require-there.js';

/** Options that are paths, by the id of their part. */
const PART_PATHS: Readonly<Record<string, Readonly<Record<string, PathKind>>>> = {
  local: { path: 'model', adapter: 'model' },
  function: { path: 'file' },
  'sequence-classification': { model: 'model' },
  judge: { templatePath: 'file' },
};

/** What is read of a checked recipe. */
interface RecipeWithPaths {
  readonly data: { readonly train: string | readonly string[]; readonly eval?: string | readonly string[] | undefined };
  readonly plugins: readonly string[];
}

/**
 * Looks whether there is something at every path that a recipe names.
 * @throws MetaapoError with code `config` for the first that leads nowhere
 */
export function requireNamedPaths(recipe: RecipeWithPaths): void {
  const { data, plugins, ...parts } = recipe;
  requirePartPaths(parts);
  for (const path of [data.train, data.eval ?? []].flat()) requireThere(path, 'data');
  for (const plugin of plugins) {
    if (plugin.startsWith('.') || isAbsolute(plugin)) requireThere(plugin, 'file');
  }
}

/**
 * Looks whether there is something at every path that a part, and the parts in it, name.
 * @throws MetaapoError with code `config` for the first that leads nowhere
 */
export function requirePartPaths(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const { id } = value as { readonly id?: unknown };
  const paths = typeof id === 'string' && Object.hasOwn(PART_PATHS, id) ? PART_PATHS[id]! : {};
  for (const [key, inner] of Object.entries(value)) {
    const kind = Object.hasOwn(paths, key) ? paths[key] : undefined;
    if (typeof inner === 'string' && kind !== undefined) requireThere(inner, kind);
    else requirePartPaths(inner);
  }
}
