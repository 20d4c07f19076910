import type { Command } from 'commander';

/** Adds examples under the help of a command. */
export function addExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ metaapo ${line}`).join('\n')}`);
}
