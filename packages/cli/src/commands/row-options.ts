import { type Command, Option } from 'commander';
import { parseColumnNames } from '../recipe/parse-column-names.js';
import { parseTemplateArguments } from '../recipe/parse-template-arguments.js';

/** Adds the flags that say how rows of a data set are read. */
export function addRowOptions(command: Command): Command {
  return command
    .option('--split <name>', 'split of a data set')
    .option('--data-config <name>', 'configuration of a data set')
    .option(
      '--template-arguments <yaml>',
      'variables of the chat template, such as {enable_thinking: false}',
      parseTemplateArguments,
    )
    .option('--columns <yaml>', 'names of columns in the file, such as {prompt: question}', parseColumnNames)
    .addOption(
      new Option('--bad-rows <what>', 'a row that cannot be used ends the command, or is left out, counted and listed')
        .choices(['error', 'drop'])
        .default('error'),
    );
}

/** Adds the flag of commands that can look before they work. */
export function addDryRun(command: Command): Command {
  return command.option('--dry-run', 'open all but weights, and print what would be done');
}
