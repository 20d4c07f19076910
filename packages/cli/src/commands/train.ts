import type { Command } from 'commander';
import { checkedTraining } from '../recipe/checked-recipe.js';
import { recipeOfCommand } from '../recipe/recipe-of-command.js';
import { addRunFlags, type GivenFlags } from '../recipe/run-flags.js';
import { addExamples } from './examples.js';

/** A name of the command that trains: all train the objective of the recipe, each has its own where a recipe names none. */
interface TrainingName {
  readonly name: string;
  readonly description: string;
  readonly recipe: string;
  readonly examples: readonly string[];
  /** Id of the objective where the recipe names none. */
  readonly objective: string;
}

const NAMES: readonly TrainingName[] = [
  {
    name: 'sft',
    description: 'train a model to imitate responses: supervised fine-tuning on chat data',
    recipe: 'YAML file',
    examples: ['sft sft.yaml --dry-run', 'sft sft.yaml --set lora.rank=16 --set output=runs/sft'],
    objective: 'sft',
  },
  {
    name: 'train',
    description: 'train a model on preference pairs, or for the objective that the recipe names',
    recipe: 'YAML file, or the built-in dpo',
    examples: [
      'train dpo --set model=Qwen/Qwen2.5-0.5B-Instruct --set output=runs/dpo-qwen',
      'train kto.yaml --set objective.id=kto --dry-run',
      'train --resume runs/dpo-qwen',
    ],
    objective: 'preference',
  },
  {
    name: 'train-reward',
    description: 'train a reward model on preference pairs: a classification head on a language model',
    recipe: 'YAML file',
    examples: [
      'train-reward reward.yaml --dry-run',
      'train-reward reward.yaml --set training.epochs=2 --set output=runs/reward',
    ],
    objective: 'reward',
  },
];

/** `metaapo sft`, `metaapo train` and `metaapo train-reward`: one training stage on a given data set. */
export function addTrainings(program: Command): void {
  for (const { name, description, recipe: words, examples, objective } of NAMES) {
    const command = program.command(name).description(description).argument('[recipe]', words);
    addExamples(command, ...examples);
    addRunFlags(command).action(async (named: string | undefined, given: GivenFlags) => {
      const { recipe, flags } = recipeOfCommand(named, given);
      const checked = await checkedTraining({ name: recipe, set: flags.set, objective });
      if (flags.dryRun === true) await (await import('../run/plan-run.js')).planTraining(checked, flags);
      else await (await import('../training/run-training-command.js')).runTrainingCommand(checked, flags);
    });
  }
}
