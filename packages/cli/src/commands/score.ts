import { type Command, Option } from 'commander';
import type { ScoreFlags } from '../model/score-command.js';
import { withJudgedFiles } from '../training/judged-files.js';
import { addExamples } from './examples.js';
import { count } from './numbers.js';
import { addDryRun, addRowOptions } from './row-options.js';

/** `metaapo score`: log-probabilities and preference scores of offline pairs. */
export function addScore(program: Command): void {
  const command = program
    .command('score')
    .description('write log-probabilities and the preference score of every pair, a JSON line a row')
    .requiredOption('--model <model>', 'directory or hub id of the policy')
    .option('--reference <model>', 'directory or hub id of the reference')
    .requiredOption('--data <file>', 'preference pairs: a file, a directory or a hub id')
    .requiredOption('--output <file>', 'JSON lines to write')
    .option('--overwrite', 'replace the file where there is one')
    .option('--loss <loss>', 'loss whose score is written: an id, or YAML such as {id: simpo, beta: 2.5}')
    .option('--entropy', "write the policy's mean entropies too, which a meta-learner with the feature entropy reads")
    .option('--max-length <tokens>', 'most tokens of a prompt with one response', count, 4096)
    .addOption(
      new Option('--long-prompt <what>', 'a prompt that leaves no room for a response')
        .choices(['error', 'drop'])
        .default('error'),
    )
    .addOption(
      new Option('--response-end <where>', 'where responses of conversations end, as data.responseEnd of a recipe says')
        .choices(['end-of-turn', 'template-end'])
        .default('end-of-turn'),
    )
    .addOption(
      new Option('--precision <type>', 'element type of matrix products; default float32').choices([
        'float32',
        'bfloat16',
      ]),
    )
    .option('--micro-batch-tokens <tokens>', 'tokens computed at a time', count, 8192)
    .option('--backend <backend>', 'tensorflow-gpu, tensorflow, webgpu or wasm')
    .option(
      '--revision <revision>',
      'revision of the policy from the hub; a reference and data have their own: owner/name@revision',
    );
  addDryRun(addRowOptions(command)).action(async (given: ScoreFlags) => {
    const flags = await withJudgedFiles(given);
    await (await import('../model/score-command.js')).scoreCommand(flags);
  });
  addExamples(
    command,
    'score --model models/policy --reference models/start --data test.jsonl --output scores.jsonl',
    "score --model runs/demo/model --data test.jsonl --loss '{id: simpo, beta: 2.5}' --output scores.jsonl",
  );
}
