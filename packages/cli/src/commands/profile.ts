import type { Command } from 'commander';
import { checkedTraining } from '../recipe/checked-recipe.js';
import { collect } from './collect.js';

/** `metaapo profile`: where the time of a training step goes. */
export function addProfile(program: Command): void {
  program
    .command('profile')
    .description('show what one micro-batch of a training recipe costs, primitive by primitive')
    .argument('<recipe>', 'YAML file, or the built-in dpo')
    .option('--set <key=value>', 'override a key of the recipe', collect)
    .action(async (name: string, { set }: { set?: string[] }) => {
      const checked = await checkedTraining({ name, set, objective: 'preference' });
      await (await import('../model/profile-command.js')).profileCommand(checked);
    });
}
