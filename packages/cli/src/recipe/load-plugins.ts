import { createRequire, isBuiltin } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import objectives from '@metaapo/core';
import { checkPlugin, MetaapoError, type Plugin } from '@metaapo/core/contracts';
import losses from '@metaapo/losses';
import metaLearners from '@metaapo/meta-learners';
import models from '@metaapo/models';
import rewards from '@metaapo/rewards';
import rules from '@metaapo/rules';
import samplers from '@metaapo/samplers';
import tinker from '@metaapo/tinker';
import trackers from '@metaapo/trackers';
import { terminalPlugin } from '../terminal/terminal-tracker.js';

/** The plugins that come with the command. */
export const OWN_PLUGINS: readonly Plugin[] = [
  terminalPlugin,
  objectives,
  losses,
  metaLearners,
  rules,
  samplers,
  rewards,
  models,
  tinker,
  trackers,
];

/**
 * The project's own plugins and those that a recipe names: packages, found from the working directory, or paths.
 * @throws MetaapoError with code `plugin` when one cannot be imported or is no plugin
 */
export async function loadPlugins(names: readonly string[]): Promise<readonly Plugin[]> {
  const loaded: Plugin[] = [];
  for (const name of names) loaded.push(await loadPlugin(name));
  return [...OWN_PLUGINS, ...loaded];
}

async function loadPlugin(name: string): Promise<Plugin> {
  const isPath = name.startsWith('.') || isAbsolute(name);
  if (!isPath && isBuiltin(name)) {
    throw new MetaapoError('plugin', 'this is the name of a module of Node itself', {
      where: `plugin ${name}`,
      expected: 'a package, or a path that begins with ./',
      remedy: `Write ./${name} where a file is meant`,
    });
  }
  try {
    const file = isPath ? resolve(name) : resolvePackage(name);
    const { default: plugin } = (await import(pathToFileURL(file).href)) as { default?: unknown };
    checkPlugin(plugin, `plugin ${name}`);
    return plugin;
  } catch (cause) {
    if (cause instanceof MetaapoError) throw cause;
    throw new MetaapoError('plugin', `it cannot be imported: ${cause instanceof Error ? cause.message : cause}`, {
      where: `plugin ${name}`,
      cause,
      remedy: isPath ? 'Check the path' : `Install it beside the recipe: npm install ${name}`,
    });
  }
}

function resolvePackage(name: string): string {
  return createRequire(resolve('package.json')).resolve(name);
}
