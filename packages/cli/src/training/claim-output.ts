import { lstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { lockDirectory, RUN_FILES, writeAtomically } from '@metaapo/core/storage';
import { stringify } from 'yaml';
import { rememberCode } from '../recipe/agreed-code.js';
import { requireApart } from './require-apart.js';

/** Begins a recipe that was written here, so that one of the user's is not taken for it. */
const OWN_RECIPE = '# What this run was started with, every default filled in; written by metaapo.\n';

/** What is known of a run before its directory is claimed. */
export interface OutputClaim {
  readonly resume: boolean;
  /** Paths that are read, see `inputsOf`. */
  readonly inputs: readonly string[];
}

/**
 * Claims a run directory for this process.
 * @returns a function that gives it back
 * @throws MetaapoError with code `config` when the directory holds a run or files of the user that would be overwritten,
 * is, holds or lies in what is read, or another process works in it
 */
export async function claimOutput(output: string, { resume, inputs }: OutputClaim): Promise<() => Promise<void>> {
  if (!resume || !holdsRun(output)) requireUsableOutput(output, inputs);
  return lockDirectory(output, {
    report: (line) => void process.stderr.write(`${line}\n`),
    onLost: () => {
      process.stderr.write(
        `metaapo: ${output}: another process has taken this directory, since this one stood still for too long. It ends here, so that nothing is mixed up.\n`,
      );
      process.exit(2);
    },
  });
}

/**
 * Looks whether a new run could be written to a directory. Changes nothing.
 * @throws MetaapoError as {@link claimOutput} does
 */
export function requireUsableOutput(output: string, inputs: readonly string[]): void {
  requireDirectory(output);
  requireApart(output, inputs);
  requireFree(output);
}

function requireDirectory(output: string): void {
  if (statSync(output, { throwIfNoEntry: false })?.isDirectory() !== false) return;
  throw new MetaapoError('config', 'there is a file where a directory should be', {
    where: output,
    remedy: 'Choose another output with --set output=..., or move the file away',
  });
}

/** A link to nothing is something too: writing would go where it leads. */
const isThere = (output: string, name: string): boolean =>
  lstatSync(join(output, name), { throwIfNoEntry: false }) !== undefined;

const holdsRun = (output: string): boolean => isThere(output, RUN_FILES.metrics) || isThere(output, RUN_FILES.journal);

function requireFree(output: string): void {
  if (holdsRun(output)) {
    throw new MetaapoError('config', 'the output directory already holds a run', {
      where: output,
      remedy: 'Add --resume to go on with it, or choose another output with --set output=...',
    });
  }
  const inTheWay = Object.values(RUN_FILES).find((name) => isThere(output, name) && !isOwnRecipe(output, name));
  if (inTheWay === undefined) return;
  throw new MetaapoError('config', 'the output directory holds a file of yours that the run would replace', {
    where: join(output, inTheWay),
    expected: 'a directory that is new, empty or without files of these names',
    got: inTheWay,
    remedy: 'Choose another output with --set output=..., or move the file away',
  });
}

/** True for the recipe of a run that stopped before it had begun. */
const isOwnRecipe = (output: string, name: string): boolean =>
  name === RUN_FILES.recipe &&
  statSync(join(output, name), { throwIfNoEntry: false })?.isFile() === true &&
  readFileSync(join(output, name), 'utf8').startsWith(OWN_RECIPE);

/** Keeps the recipe with every default in the run directory, and that the user runs the code it names. */
export function keepRecipe(recipe: { readonly output: string }): Promise<void> {
  rememberCode(recipe.output, recipe);
  return writeAtomically(join(recipe.output, RUN_FILES.recipe), `${OWN_RECIPE}${stringify(recipe)}`);
}
