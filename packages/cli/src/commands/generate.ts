import type { Command } from 'commander';
import { type GenerateFlags, generateCommand } from '../sampling/generate-command.js';
import { addExamples } from './examples.js';
import { count, decimal } from './numbers.js';

/** `metaapo generate`: responses to prompts. */
export function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .description('write responses to prompts, a JSON line each')
    .requiredOption('--model <model>', 'directory or hub id')
    .option('--adapter <directory>', 'PEFT adapter')
    .requiredOption('--data <file>', 'rows with a prompt: messages, text or token ids')
    .option('--split <name>', 'split of a hub data set')
    .requiredOption('--output <file>', 'JSON lines to write')
    .option('--n <count>', 'responses a prompt', count, 1)
    .option('--temperature <t>', 'divides the logits; 0 takes the likeliest token', decimal, 1)
    .option('--top-p <share>', 'keep the likeliest tokens that together reach this probability', decimal)
    .option('--top-k <count>', 'keep the k likeliest tokens', count)
    .option('--min-p <share>', "keep tokens of at least this share of the likeliest one's probability", decimal)
    .option('--repetition-penalty <factor>', 'above 1: tokens that are there already become less likely', decimal)
    .option('--max-new-tokens <count>', 'most tokens of a response', count, 256)
    .option('--seed <seed>', 'the same seed gives the same responses', count, 0)
    .option('--cached-tokens <count>', 'tokens in flight together', count, 16_384)
    .option('--backend <backend>', 'tensorflow-gpu, tensorflow or wasm')
    .option('--revision <revision>', 'revision of models and data from the hub')
    .action((flags: GenerateFlags) => generateCommand(flags));
  addExamples(
    command,
    'generate --model models/policy --data prompts.jsonl --n 4 --output responses.jsonl',
    'generate --model runs/lora/model --data prompts.jsonl --temperature 0 --output greedy.jsonl',
  );
}
