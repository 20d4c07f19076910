import type { Command } from 'commander';
import { runCommand } from '../run/run-command.js';
import { collect } from './collect.js';

/** `metaapo run`: the whole loop, iteration after iteration. */
export function addRun(program: Command): void {
  program
    .command('run')
    .description('align a model: score, select, sample, reward, pair and train, iteration after iteration')
    .argument('[recipe]', 'YAML file or built-in name', 'metaapo')
    .option('--set <key=value>', 'override a key of the recipe, e.g. iterations=2', collect, [])
    .option('--resume', 'go on with the run in the output directory')
    .action((recipe: string, flags: { set: string[]; resume?: boolean }) =>
      runCommand(recipe, flags.set, flags.resume === true),
    );
}
