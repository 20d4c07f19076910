import { existsSync } from 'node:fs';
import { MetaapoError } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import type { Command } from 'commander';
import { BUILT_IN_NAMES } from '../recipe/built-in-recipes.js';
import { builtInRecipe } from '../recipe/recipe-text.js';

/** `metaapo init`: writes a built-in recipe to a file, to be edited. */
export function addInit(program: Command): void {
  program
    .command('init')
    .description('write a built-in recipe to a file, to be edited')
    .argument('[recipe]', `name of a built-in recipe: ${BUILT_IN_NAMES}`, 'metaapo')
    .option('--output <file>', 'file to write', 'recipe.yaml')
    .action(async (name: string, { output }: { output: string }) => {
      const text = builtInRecipe(name);
      if (existsSync(output)) {
        throw new MetaapoError('config', 'the file exists already', {
          where: output,
          remedy: 'Choose another one with --output FILE',
        });
      }
      await writeAtomically(output, text);
      process.stdout.write(`${output} is the recipe ${name}; edit it, then: metaapo run ${output} --dry-run\n`);
    });
}
