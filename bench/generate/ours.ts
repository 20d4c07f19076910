// One side of `pnpm bench generate`: takes a GenerationWork as JSON, prints a GenerationMeasurement as its last line.
import { readFile } from 'node:fs/promises';
import type { Generation, GenerationRequest } from '@metaapo/core/contracts';
import { peakMemory, selectBackend, xlaCompilations } from '@metaapo/engine';
import { loadLanguageModel } from '@metaapo/models';
import type { GenerationMeasurement, GenerationWork } from './prepare-prompts.js';

const work = JSON.parse(process.argv[2]!) as GenerationWork;
const WARM_UP_TOKENS = 4;
/** Places in the KV cache are given out by so many tokens. */
const PAGE_TOKENS = 16;

const backend = await selectBackend();
process.stderr.write(`${backend.reason}\n`);
const prompts = (JSON.parse(await readFile(work.prompts, 'utf8')) as number[][]).map((ids) => Int32Array.from(ids));
const newTokens = prompts.length * work.samples * work.newTokens;
// Room for every sequence at once: each prompt once, with a place as long as the longest one's.
const place = (tokens: number): number => PAGE_TOKENS * Math.ceil(tokens / PAGE_TOKENS);
const longest = Math.max(...prompts.map(({ length }) => length));
const cachedTokens = prompts.length * (place(longest) + work.samples * place(work.newTokens));
const model = await loadLanguageModel(work.model, {
  ...{ precision: work.precision, executor: work.executor },
  cachedTokens,
});

const requestsOf = (run: number, maxNewTokens: number): GenerationRequest[] =>
  prompts.map((prompt, index) => ({
    prompt,
    count: work.samples,
    maxNewTokens,
    stopTokenIds: [],
    temperature: 1,
    seed: run * prompts.length + index,
  }));

async function generateAll(run: number, maxNewTokens: number): Promise<readonly Generation[]> {
  const done: Generation[] = [];
  for await (const { generations } of model.generate!(requestsOf(run, maxNewTokens))) done.push(...generations);
  return done;
}

await generateAll(work.runs, WARM_UP_TOKENS);
const startup = performance.now() / 1000;
const seconds: number[] = [];
let generations: readonly Generation[] = [];
for (let run = 0; run < work.runs; run++) {
  const started = performance.now();
  generations = await generateAll(run, work.newTokens);
  seconds.push((performance.now() - started) / 1000);
}
const peakBytes = await peakMemory();
const tokens = generations.reduce((sum, generation) => sum + generation.tokens.length, 0);
if (tokens !== newTokens) throw new Error(`${tokens} new tokens instead of ${newTokens}`);
const logprobs = generations.flatMap((generation) => [...generation.logprobs]);
const meanLogprob = logprobs.reduce((sum, logprob) => sum + logprob, 0) / logprobs.length;
const { count } = xlaCompilations();
const measurement: GenerationMeasurement = {
  ...{ seconds, tokens, startup, peakBytes, meanLogprob },
  ...(count > 0 && { compilations: count }),
};
process.stdout.write(`${JSON.stringify(measurement)}\n`);
