import { type ComposedParts, type Composition, composeRecipe, type PartRecipe, type PartsRecipe } from '@metaapo/core';
import type { ModelSource } from '@metaapo/core/contracts';
import { loadPlugins } from './load-plugins.js';
import { startOfDay } from './template-date.js';

/** What is read of a recipe to compose it: keys that name parts, and the plugins that they may come from. */
export type ComposedRecipe = PartsRecipe & { readonly plugins: readonly string[] };

/** The tracker that every command has. */
const TERMINAL: PartRecipe = { id: 'terminal' };

/** Tells the user something on the error stream. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Loads the plugins that a recipe names, once, and checks every part that it names, before a model is opened or a directory
 * made.
 * @param templateDate day that chat templates write, `2026-01-31`; default today
 * @throws MetaapoError with code `plugin` for a plugin that cannot be loaded or an unknown id, `config` for an option that
 * a part does not take
 */
export async function composeParts<Recipe extends ComposedRecipe>(
  recipe: Recipe,
  templateDate?: string,
): Promise<Composition<Recipe>> {
  const trackers = recipe.trackers && [TERMINAL, ...recipe.trackers.filter(({ id }) => id !== TERMINAL.id)];
  const day = templateDate === undefined ? undefined : startOfDay(templateDate);
  const context = { baseDirectory: process.cwd(), report: say, env: process.env, templateDate: day };
  return composeRecipe({
    plugins: await loadPlugins(recipe.plugins),
    recipe: { ...recipe, trackers } as Recipe,
    context,
  });
}

/** What a command line says beside its parts. */
interface NamedOptions {
  readonly signal?: AbortSignal | undefined;
  /** Packages or paths, where it names any. */
  readonly plugins?: readonly string[] | undefined;
}

/** The parts that a command line names, checked and not made yet. */
export async function composeNamed<Recipe extends PartsRecipe>(
  recipe: Recipe,
  { signal, plugins = [] }: NamedOptions = {},
): Promise<Composition<Recipe>> {
  const context = { baseDirectory: process.cwd(), report: say, env: process.env, signal };
  return composeRecipe({ plugins: await loadPlugins(plugins), recipe, context });
}

/** Makes the parts that a command line names. */
export async function composeAlone<Recipe extends PartsRecipe>(
  recipe: Recipe,
  options: NamedOptions = {},
): Promise<ComposedParts<Recipe>> {
  return (await composeNamed(recipe, options)).makeAll();
}

/**
 * The source of the reference: the recipe's, or that of the policy.
 * A reference that is not read is warned of: recipes of losses with and without one may share it.
 * @param use what may read it, for the warning, and whether it does
 */
export async function referenceSource(
  composition: Composition<{ readonly model: PartRecipe; readonly reference?: PartRecipe | undefined }>,
  { reader, isRead }: { readonly reader: string; readonly isRead: boolean },
): Promise<ModelSource> {
  const named = await composition.make('reference');
  if (named !== undefined && !isRead) {
    say(`Warning: the recipe's reference is not opened, since ${reader} reads none`);
  }
  return named ?? composition.make('model');
}
