import type { Command } from 'commander';
import { recipeOfCommand } from '../recipe/recipe-of-command.js';
import { addRunFlags, type GivenFlags } from '../recipe/run-flags.js';
import { planRun } from '../run/plan-run.js';
import { runCommand } from '../run/run-command.js';

/** `metaapo run`: the whole loop, iteration after iteration. */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('align a model: score, select, sample, reward, pair and train, iteration after iteration')
    .argument('[recipe]', 'YAML file or built-in name; default metaapo');
  addRunFlags(command).action((name: string | undefined, given: GivenFlags) => {
    const { recipe, flags } = recipeOfCommand(name, given, 'metaapo');
    return flags.dryRun === true ? planRun(recipe, flags) : runCommand(recipe, flags);
  });
}
