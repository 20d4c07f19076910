import type { Command } from 'commander';
import type { GenerateFlags } from '../sampling/generate-command.js';
import { withJudgedFiles } from '../training/judged-files.js';
import { addExamples } from './examples.js';
import { count, nonNegative, positive, positiveCount, positiveShare, share, texts } from './numbers.js';
import { addDryRun, addRowOptions } from './row-options.js';

/** `metaapo generate`: responses to prompts. */
export function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .description(
      'write responses to prompts, a JSON line each; a command that was stopped goes on when it is run again',
    )
    .requiredOption('--model <model>', 'directory or hub id')
    .option('--adapter <directory>', 'PEFT adapter')
    .requiredOption('--data <file>', 'rows with a prompt: messages, text or token ids')
    .requiredOption('--output <file>', 'JSON lines to write')
    .option('--overwrite', 'replace the file where there is one')
    .option('--n <count>', 'responses a prompt', positiveCount, 1)
    .option('--temperature <t>', 'divides the logits; 0 takes the likeliest token', nonNegative, 1)
    .option('--top-p <share>', 'keep the likeliest tokens that together reach this probability', positiveShare)
    .option('--top-k <count>', 'keep the k likeliest tokens', positiveCount)
    .option('--min-p <share>', "keep tokens of at least this share of the likeliest one's probability", share)
    .option('--repetition-penalty <factor>', 'above 1: tokens that are there already become less likely', positive)
    .option('--stop <text>', 'a text that ends a response and is left out of it; may be given several times', texts)
    .option('--max-new-tokens <count>', 'most tokens of a response', positiveCount, 256)
    .option('--seed <seed>', 'the same seed gives the same responses', count, 0)
    .option('--logprobs', 'write the log-probability of each token too, before temperature and filters')
    .option('--stream', 'show responses on the standard output while they are written, one after the other')
    .option('--cached-tokens <count>', 'tokens of the KV cache', positiveCount, 16_384)
    .option('--backend <backend>', 'tensorflow-gpu, tensorflow, webgpu or wasm')
    .option('--revision <revision>', 'revision of the model from the hub; data have their own: owner/name@revision');
  addDryRun(addRowOptions(command)).action(async (given: GenerateFlags) => {
    const flags = await withJudgedFiles(given);
    await (await import('../sampling/generate-command.js')).generateCommand(flags);
  });
  addExamples(
    command,
    'generate --model models/policy --data prompts.jsonl --n 4 --output responses.jsonl',
    'generate --model models/policy --data prompts.jsonl --stream --output responses.jsonl',
    'generate --model runs/lora/model --data prompts.jsonl --temperature 0 --output greedy.jsonl',
  );
}
