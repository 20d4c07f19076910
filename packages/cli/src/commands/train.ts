import type { Command } from 'commander';
import { recipeOfCommand } from '../recipe/recipe-of-command.js';
import { addRunFlags, type GivenFlags } from '../recipe/run-flags.js';
import { planTraining } from '../run/plan-run.js';
import { runTrainingCommand } from '../training/run-training-command.js';
import { addExamples } from './examples.js';

/** `metaapo train`: one training stage on a given data set. */
export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description('train a model on preference pairs')
    .argument('[recipe]', 'YAML file, or the built-in dpo');
  addExamples(
    command,
    'train dpo --set model=Qwen/Qwen2.5-0.5B-Instruct --set output=runs/dpo-qwen',
    'train --resume runs/dpo-qwen',
  );
  addRunFlags(command).action((name: string | undefined, given: GivenFlags) => {
    const { recipe, flags } = recipeOfCommand(name, given);
    return flags.dryRun === true ? planTraining(recipe, flags) : runTrainingCommand(recipe, flags, 'policy');
  });
}

/** `metaapo train-reward`: a reward model out of a language model. */
export function addTrainReward(program: Command): void {
  const command = program
    .command('train-reward')
    .description('train a reward model on preference pairs: a classification head on a language model')
    .argument('[recipe]', 'YAML file');
  addExamples(
    command,
    'train-reward reward.yaml --dry-run',
    'train-reward reward.yaml --set training.epochs=2 --set output=runs/reward',
  );
  addRunFlags(command).action((name: string | undefined, given: GivenFlags) => {
    const { recipe, flags } = recipeOfCommand(name, given);
    return flags.dryRun === true ? planTraining(recipe, flags, 'reward') : runTrainingCommand(recipe, flags, 'reward');
  });
}
