// The third side of `pnpm bench generate`: node-llama-cpp from a directory of its own, since nothing here depends on it.
// Takes a GenerationWork with `package` (its directory) and `gguf` as JSON, prints a GenerationMeasurement as its last line.
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
// Not from @metaapo/engine, whose libraries would count as this side's memory.
import { peakMemory } from '../../packages/engine/src/peak-memory.js';
import type { GenerationMeasurement, GenerationWork } from './prepare-prompts.js';

/** What is used of node-llama-cpp's interface. */
interface NodeLlamaCpp {
  getLlama(options: Record<string, unknown>): Promise<{
    loadModel(options: Record<string, unknown>): Promise<{
      createContext(options: Record<string, unknown>): Promise<{ getSequence(): LlamaSequence }>;
    }>;
  }>;
}

interface LlamaSequence {
  evaluate(tokens: readonly number[], options: Record<string, unknown>): AsyncIterable<number>;
  evaluateWithMetadata(
    tokens: readonly number[],
    metadata: { readonly confidence: true },
    options: Record<string, unknown>,
  ): AsyncIterable<{ readonly confidence: number }>;
  clearHistory(): Promise<void>;
}

const work = JSON.parse(process.argv[2]!) as GenerationWork & {
  readonly package: string;
  readonly gguf: string;
  /** Responses of a batch. */
  readonly sequences: number;
};
const WARM_UP_TOKENS = 4;
/** Tokens of one evaluation: as many as fill it are taken from all sequences together. */
const BATCH_TOKENS = 2048;

const entry = join(work.package, 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
const { getLlama } = (await import(pathToFileURL(entry).href)) as NodeLlamaCpp;
const prompts = JSON.parse(await readFile(work.prompts, 'utf8')) as number[][];
const threads = cpus().length;
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: 'error' });
const model = await llama.loadModel({ modelPath: work.gguf });
const context = await model.createContext({
  sequences: work.sequences,
  contextSize: Math.max(...prompts.map(({ length }) => length)) + work.newTokens + 1,
  batchSize: BATCH_TOKENS,
  threads,
});
const sequences = Array.from({ length: work.sequences }, () => context.getSequence());
const optionsOf = (seed: number): Record<string, unknown> => ({
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  seed,
  yieldEogToken: true,
});

async function respond(
  sequence: LlamaSequence,
  prompt: readonly number[],
  seed: number,
  limit: number,
): Promise<number> {
  await sequence.clearHistory();
  let count = 0;
  for await (const _ of sequence.evaluate(prompt, optionsOf(seed))) if (++count === limit) break;
  return count;
}

/** Every sequence takes the next response that nobody has begun. */
async function generateAll(run: number, limit: number): Promise<number> {
  let next = 0;
  const counts: number[] = [];
  const wanted = prompts.length * work.samples;
  const drain = async (sequence: LlamaSequence): Promise<void> => {
    while (next < wanted) {
      const response = next++;
      const prompt = prompts[Math.floor(response / work.samples)]!;
      counts.push(await respond(sequence, prompt, 1 + run * wanted + response, limit));
    }
  };
  await Promise.all(sequences.map(drain));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function meanLogprobOf(prompt: readonly number[], seed: number): Promise<number> {
  const sequence = sequences[0]!;
  await sequence.clearHistory();
  const logprobs: number[] = [];
  for await (const { confidence } of sequence.evaluateWithMetadata(prompt, { confidence: true }, optionsOf(seed))) {
    logprobs.push(Math.log(confidence));
    if (logprobs.length === work.newTokens) break;
  }
  return logprobs.reduce((sum, logprob) => sum + logprob, 0) / logprobs.length;
}

await generateAll(work.runs, WARM_UP_TOKENS);
const startup = performance.now() / 1000;
const seconds: number[] = [];
let tokens = 0;
for (let run = 0; run < work.runs; run++) {
  const started = performance.now();
  tokens = await generateAll(run, work.newTokens);
  seconds.push((performance.now() - started) / 1000);
}
const peakBytes = await peakMemory();
const means: number[] = [];
for (const [index, prompt] of prompts.slice(0, 8).entries()) means.push(await meanLogprobOf(prompt, 1 + index));
const meanLogprob = means.reduce((sum, mean) => sum + mean, 0) / means.length;
const measurement: GenerationMeasurement = { seconds, tokens, startup, peakBytes, meanLogprob };
process.stdout.write(`${JSON.stringify(measurement)}\n`, () => process.exit(0));
