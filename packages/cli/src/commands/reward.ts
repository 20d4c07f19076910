import { MetaapoError } from '@metaapo/core/contracts';
import { type Command, Option } from 'commander';
import type { RewardFlags } from '../sampling/row-scorer.js';
import { withJudgedFiles } from '../training/judged-files.js';
import { collect } from './collect.js';
import { addExamples } from './examples.js';
import { positiveCount } from './numbers.js';
import { addDryRun, addRowOptions } from './row-options.js';

/** `metaapo reward`: rewards of given responses. */
export function addReward(program: Command): void {
  const command = program
    .command('reward')
    .description(
      'write the reward of every response, a JSON line a row; a command that was stopped goes on when it is run again',
    )
    .option('--model <model>', 'directory or hub id of a reward model (...ForSequenceClassification)')
    .addOption(
      new Option('--reward <part>', 'any reward model in its place: an id, or YAML such as {id: judge, ...}').conflicts(
        ['model', 'backend', 'revision'],
      ),
    )
    .option('--plugin <package>', 'package or module of the part', collect)
    .requiredOption(
      '--data <file>',
      'rows with prompt and response, such as `metaapo generate` writes: messages, text or token ids',
    )
    .requiredOption('--output <file>', 'JSON lines to write')
    .option('--overwrite', 'replace the file where there is one')
    .option('--batch-tokens <tokens>', 'tokens computed at a time', positiveCount, 8192)
    .option('--backend <backend>', 'tensorflow-gpu, tensorflow, webgpu or wasm')
    .option('--revision <revision>', 'revision of the model from the hub; data have their own: owner/name@revision');
  addDryRun(addRowOptions(command)).action(async (given: RewardFlags) => {
    requireRewardModel(given);
    const flags = await withJudgedFiles(given);
    await (await import('../sampling/reward-command.js')).rewardCommand(flags);
  });
  addExamples(
    command,
    'reward --model models/reward --data responses.jsonl --output rewards.jsonl',
    "reward --reward '{id: length}' --data responses.jsonl --output lengths.jsonl",
    'reward --model owner/reward-model --revision main --data responses.jsonl --output rewards.jsonl',
  );
}

function requireRewardModel({ model, reward }: RewardFlags): void {
  if (model !== undefined || reward !== undefined) return;
  throw new MetaapoError('config', 'no reward model is named', {
    where: 'the command line',
    expected: '--model with a directory or hub id, or --reward with a part',
    remedy: 'Add one of them, such as --reward length',
  });
}
