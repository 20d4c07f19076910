import type { Command } from 'commander';
import { BUILT_IN_NAMES } from '../recipe/built-in-recipes.js';
import { checkedRecipe } from '../recipe/checked-recipe.js';
import { recipeOfCommand } from '../recipe/recipe-of-command.js';
import { addRunFlags, type GivenFlags } from '../recipe/run-flags.js';
import { addExamples } from './examples.js';

/** `metaapo run`: the whole loop, iteration after iteration. */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('align a model: score, select, sample, reward, pair and train, iteration after iteration')
    .argument('[recipe]', `YAML file or built-in name: ${BUILT_IN_NAMES}`);
  addExamples(
    command,
    'run recipe.yaml --dry-run',
    'run metaapo-simpo --set training.batchSize=64 --set output=runs/simpo',
    'run --resume runs/simpo',
  );
  addRunFlags(command).action(async (named: string | undefined, given: GivenFlags) => {
    const { recipe: name, flags } = recipeOfCommand(named, given);
    const checked = await checkedRecipe({ name, set: flags.set, objective: 'preference' });
    if (flags.dryRun === true) await (await import('../run/plan-run.js')).planRun(checked, flags);
    else await (await import('../run/run-command.js')).runCommand(checked, flags);
  });
}
