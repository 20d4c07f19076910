import type { Command } from 'commander';
import { collect } from '../commands/collect.js';

/** Flags of the commands that take a recipe. */
export interface RunFlags {
  /** `key.path=value`. */
  readonly set?: readonly string[] | undefined;
  readonly resume?: boolean;
  readonly allowChanges?: boolean;
  readonly dryRun?: boolean;
}

/** The flags as they are given. */
export interface GivenFlags extends Omit<RunFlags, 'resume'> {
  /** A run directory, or true for that of the recipe. */
  readonly resume?: boolean | string;
  /** Agrees to the code that the recipe in a run directory names. */
  readonly trust?: boolean;
}

/** Adds the flags of a recipe to a command. */
export function addRunFlags(command: Command): Command {
  return command
    .option(
      '--set <key=value>',
      'override a key of the recipe, e.g. training.learningRate=1e-6; key= removes it',
      collect,
    )
    .option(
      '--resume [directory]',
      "go on with the run in a directory, by default the recipe's output; needs no recipe",
    )
    .option('--allow-changes', 'with --resume: accept a recipe, data or a backend that the run was not started with')
    .option('--trust', 'with --resume: run the plugins, functions and commands that the recipe of the run names')
    .option('--dry-run', 'print what would be done, and every default in force');
}
