import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { RUN_FILES } from '@metaapo/core/storage';
import { requireAgreement } from './agreed-code.js';
import { BUILT_IN_NAMES, BUILT_IN_RECIPES } from './built-in-recipes.js';
import { nearestPath } from './nearest-path.js';
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
 * @throws MetaapoError with code `config` where there is none, no run to go on with, or one whose recipe names code that
 * the user has not agreed to
 */
export function recipeOfCommand(
  recipe: string | undefined,
  { resume = false, trust = false, ...flags }: GivenFlags,
): CommandRecipe {
  if (typeof resume === 'boolean') return { recipe: recipe ?? missing(resume), flags: { ...flags, resume } };
  // `--resume RECIPE`: the flag took the recipe for its directory.
  if (recipe === undefined && isRecipe(resume)) return { recipe: resume, flags: { ...flags, resume: true } };
  const stored = join(resume, RUN_FILES.recipe);
  if (!existsSync(stored)) throw noRun(resume);
  if (recipe === undefined) requireAgreement(resume, parseYaml(stored, readFileSync(stored, 'utf8')), trust);
  const set = [...(flags.set ?? []), `output=${JSON.stringify(resume)}`];
  return { recipe: recipe ?? stored, flags: { ...flags, set, resume: true } };
}

const isRecipe = (text: string): boolean =>
  Object.hasOwn(BUILT_IN_RECIPES, text) || statSync(text, { throwIfNoEntry: false })?.isFile() === true;

function missing(resume: boolean): never {
  const otherwise = resume ? 'Name the directory of the run: --resume runs/a' : 'Write one with `metaapo init`';
  throw new MetaapoError('config', 'no recipe is named', {
    where: 'the command line',
    expected: `a YAML file, a built-in recipe (${BUILT_IN_NAMES}), or --resume with the directory of a run`,
    remedy: `${otherwise}; the built-in ones train models of 7 and 8 billion parameters, which are fetched`,
  });
}

function noRun(directory: string): MetaapoError {
  const found = statSync(directory, { throwIfNoEntry: false });
  const kind = found?.isDirectory() ? `a directory without ${RUN_FILES.recipe}` : 'a file';
  return new MetaapoError('config', 'there is no run to go on with', {
    where: `--resume ${directory}`,
    expected: `a directory with ${RUN_FILES.recipe}`,
    got: found === undefined ? 'nothing' : kind,
    remedy: meantRun(directory) ?? 'Give the output directory of a run that was begun',
  });
}

/** What of a run may have been meant: the run that the directory is in, those that are in it, or one of a name like it. */
function meantRun(directory: string): string | undefined {
  const isRun = (path: string): boolean => existsSync(join(path, RUN_FILES.recipe));
  if (isRun(dirname(directory))) return `Did you mean --resume ${dirname(directory)}?`;
  const inside = isDirectory(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
  const runs = inside.filter(isRun).slice(0, MOST_SHOWN);
  if (runs.length > 0) return `Did you mean ${runs.join(' or ')}?`;
  const near = existsSync(directory) ? undefined : nearestPath(directory);
  return near === undefined ? undefined : `Did you mean ${near}?`;
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

const MOST_SHOWN = 5;
