import type { Command } from 'commander';
import { BUILT_IN_NAMES } from '../recipe/built-in-recipes.js';
import { recipeOfCommand } from '../recipe/recipe-of-command.js';
import { addRunFlags, type GivenFlags } from '../recipe/run-flags.js';
import { planRun } from '../run/plan-run.js';
import { runCommand } from '../run/run-command.js';
import { addExamples } from './examples.js';

/** `metaapo run`: the whole loop, iteration after iteration. */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('align a model: score, select, sample, reward, pair and train, iteration after iteration')
    .argument('[recipe]', `YAML file or built-in name: ${BUILT_IN_NAMES}; default metaapo`);
  addExamples(
    command,
    'run recipe.yaml --dry-run',
    'run metaapo-simpo --set training.batchSize=64 --set output=runs/simpo',
    'run --resume runs/simpo',
  );
  addRunFlags(command).action((name: string | undefined, given: GivenFlags) => {
    const { recipe, flags } = recipeOfCommand(name, given, 'metaapo');
    return flags.dryRun === true ? planRun(recipe, flags) : runCommand(recipe, flags);
  });
}
