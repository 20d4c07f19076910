import type { Command } from 'commander';
import type { SelectFlags } from '../run/select-command.js';
import { withJudgedFiles } from '../training/judged-files.js';
import { addExamples } from './examples.js';
import { count } from './numbers.js';
import { addDryRun } from './row-options.js';

/** `metaapo select`: which rows get new responses. */
export function addSelect(program: Command): void {
  const command = program
    .command('select')
    .description('write the weight of every scored pair and whether its prompt gets new responses, a JSON line a row')
    .requiredOption('--scores <file>', 'JSON lines of `metaapo score`')
    .requiredOption('--output <file>', 'JSON lines to write: {row, weight, selected}')
    .option('--overwrite', 'replace the file where there is one')
    .option(
      '--meta-learner <part>',
      'an id, or YAML such as {id: mlp, init: runs/demo/meta-learner.safetensors}',
      '{id: mlp}',
    )
    .option('--selection <part>', 'an id, or YAML such as {id: budget, share: 0.58}', 'meta')
    .option('--limit <rows>', 'most rows that may be selected', count)
    .option('--seed <seed>', 'seed of the draws', count, 0)
    .option('--iteration <number>', 'iteration of the draws, from 0', count, 0);
  addDryRun(command).action(async (given: SelectFlags) => {
    const flags = await withJudgedFiles(given);
    await (await import('../run/select-command.js')).selectCommand(flags);
  });
  addExamples(
    command,
    'select --scores scores.jsonl --output selected.jsonl',
    "select --scores scores.jsonl --selection '{id: budget, share: 0.5}' --output selected.jsonl",
  );
}
