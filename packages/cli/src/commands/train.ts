import type { Command } from 'commander';
import { runTrainingCommand } from '../training/run-training-command.js';
import { collect } from './collect.js';

/** `metaapo train`: one training stage on a given data set. */
export function addTrain(program: Command): void {
  program
    .command('train')
    .description('train a model on preference pairs')
    .argument('<recipe>', 'YAML file or built-in name')
    .option('--set <key=value>', 'override a key of the recipe, e.g. training.learningRate=1e-6', collect, [])
    .option('--resume', 'go on from the checkpoint in the output directory')
    .action((recipe: string, flags: { set: string[]; resume?: boolean }) =>
      runTrainingCommand(recipe, flags.set, flags.resume === true),
    );
}
