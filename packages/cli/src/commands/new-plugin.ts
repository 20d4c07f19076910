import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import type { Command } from 'commander';
import { ASSETS } from '../assets.js';
import { VERSION } from '../version.js';

/** Files of the template; its loss is called my-loss, in code myLoss and MyLoss. */
const FILES = ['package.json', 'tsconfig.json', 'src/my-loss.ts', 'src/index.ts', 'src/my-loss.test.ts'] as const;

/** `metaapo plugins new loss my-loss`: a plugin of one's own, to be edited. */
export function addNewPlugin(plugins: Command): void {
  plugins
    .command('new')
    .description('write a plugin of your own, with its test, to be edited')
    .argument('<slot>', 'loss')
    .argument('<name>', 'name of the package and id of its part, kebab-case')
    .option('--output <directory>', 'directory to write; default: the name')
    .action(async (slot: string, name: string, { output }: { output?: string }) => {
      const directory = output ?? name;
      await writePlugin(slot, name, directory);
      process.stdout.write(
        `${directory} holds the plugin ${name}. In it: npm install, npm test, npm pack; then name it under plugins in a recipe.\n`,
      );
    });
}

/**
 * Writes the five files of a plugin.
 * @throws MetaapoError with code `config` when there is no template for the slot, the name is no kebab-case word, or the
 * directory exists
 */
export async function writePlugin(slot: string, name: string, directory: string): Promise<void> {
  const refuse = (where: string, summary: string, expected: string): never => {
    throw new MetaapoError('config', summary, { where, expected });
  };
  if (slot !== 'loss') refuse(`slot ${slot}`, 'there is no template for this slot', 'loss');
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) refuse(name, 'it is no name for a plugin', 'a name such as my-loss');
  if (existsSync(directory)) refuse(directory, 'it exists already', 'a directory that does not exist yet');
  for (const file of FILES) {
    const text = await readFile(new URL(`plugin-template/${basename(file)}.template`, ASSETS), 'utf8');
    const target = resolve(directory, renamed(file, name));
    await mkdir(dirname(target), { recursive: true });
    await writeAtomically(target, renamed(text, name).replaceAll('METAAPO_VERSION', VERSION));
  }
}

function renamed(text: string, name: string): string {
  const pascal = name
    .split('-')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
  const camel = pascal[0]!.toLowerCase() + pascal.slice(1);
  return text.replaceAll('my-loss', name).replaceAll('myLoss', camel).replaceAll('MyLoss', pascal);
}
