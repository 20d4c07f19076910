import type { Command } from 'commander';
import { profileCommand } from '../model/profile-command.js';
import { collect } from './collect.js';

/** `metaapo profile`: where the time of a training step goes. */
export function addProfile(program: Command): void {
  program
    .command('profile')
    .description('show what one micro-batch of a training recipe costs, primitive by primitive')
    .argument('<recipe>', 'YAML file, or the built-in dpo')
    .option('--set <key=value>', 'override a key of the recipe', collect)
    .action((recipe: string, { set }: { set?: string[] }) => profileCommand(recipe, set));
}
