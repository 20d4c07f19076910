import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_FILES } from '@metaapo/core';
import { MetaapoError } from '@metaapo/core/contracts';
import { requireAgreement } from './agreed-code.js';
import { parseYaml } from './parse-yaml-value.js';
import type { GivenFlags, RunFlags } from './run-flags.js';

/** The recipe that a command is to read, and its flags. */
export interface CommandRecipe {
  readonly recipe: string;
  readonly flags: RunFlags;
}

/**
 * The recipe of a command line. `--resume DIR` alone goes on with the recipe that the run in DIR was started with; with
 * a recipe it says where that one's run is.
 * @param fallback recipe where none is given
 * @throws MetaapoError with code `config` where there is none, no run to go on with, or one whose recipe names code that
 * the user has not agreed to
 */
export function recipeOfCommand(
  recipe: string | undefined,
  { resume = false, trust = false, ...flags }: GivenFlags,
  fallback?: string,
): CommandRecipe {
  if (typeof resume === 'boolean') return { recipe: recipe ?? fallback ?? missing(), flags: { ...flags, resume } };
  // `--resume RECIPE`: the flag took the recipe for its directory.
  if (!isDirectory(resume) && recipe === undefined) return { recipe: resume, flags: { ...flags, resume: true } };
  const stored = join(resume, RUN_FILES.recipe);
  if (!existsSync(stored)) throw noRun(resume);
  if (recipe === undefined) requireAgreement(resume, parseYaml(stored, readFileSync(stored, 'utf8')), trust);
  const set = [...(flags.set ?? []), `output=${JSON.stringify(resume)}`];
  return { recipe: recipe ?? stored, flags: { ...flags, set, resume: true } };
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function missing(): never {
  throw new MetaapoError('config', 'no recipe is named', {
    where: 'the command line',
    expected: 'a YAML file or a built-in name, or --resume DIR',
  });
}

function noRun(directory: string): MetaapoError {
  return new MetaapoError('config', 'there is no run to go on with', {
    where: `--resume ${directory}`,
    expected: `a directory with ${RUN_FILES.recipe}`,
    remedy: 'Give the output directory of a run that was begun',
  });
}
