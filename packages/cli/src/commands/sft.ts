import type { Command } from 'commander';
import { recipeOfCommand } from '../recipe/recipe-of-command.js';
import { addRunFlags, type GivenFlags } from '../recipe/run-flags.js';
import { planFineTuning } from '../run/plan-run.js';
import { runSftCommand } from '../training/run-sft-command.js';
import { addExamples } from './examples.js';

/** `metaapo sft`: supervised fine-tuning, the stage before preferences. */
export function addSft(program: Command): void {
  const command = program
    .command('sft')
    .description('train a model to imitate responses: supervised fine-tuning on chat data')
    .argument('[recipe]', 'YAML file');
  addExamples(command, 'sft sft.yaml --dry-run', 'sft sft.yaml --set lora.rank=16 --set output=runs/sft');
  addRunFlags(command).action((name: string | undefined, given: GivenFlags) => {
    const { recipe, flags } = recipeOfCommand(name, given);
    return flags.dryRun === true ? planFineTuning(recipe, flags) : runSftCommand(recipe, flags);
  });
}
