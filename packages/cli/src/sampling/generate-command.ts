import {
  beforeStop,
  type Generation,
  type GenerationRequest,
  type ModelDescription,
  type TextModel,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { seedOf } from '@metaapo/core/numerics';
import { type PromptRow, readPrompts, tokenizePrompt } from '@metaapo/data';
import { type ModelFlags, modelOfFlags } from '../model/model-of-flags.js';
import { composeAlone, say } from '../recipe/compose-parts.js';
import { onInterruption } from '../terminal/interruption.js';
import { createProgress } from '../terminal/progress.js';
import { type DataFlags, filesOfFlags, type Sources } from '../training/data-files.js';
import { formOf } from '../training/load-preferences.js';
import { type KeptResults, openKeptResults, orKept, resultKey } from './kept-results.js';
import { createLiveText } from './live-text.js';

/** Flags of `metaapo generate`. */
export interface GenerateFlags extends ModelFlags, DataFlags {
  readonly n: number;
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly stop?: readonly string[];
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly logprobs?: boolean;
  readonly stream?: boolean;
  readonly cachedTokens: number;
}

/** A response as the output holds it. */
type Line = Readonly<Record<'response' | 'finish_reason', string>> & {
  readonly response_ids: readonly number[];
  readonly logprobs?: readonly number[];
};

/** Runs `metaapo generate`. The output appears when it is complete, in input order; until then its rows are kept beside it. */
export async function generateCommand(flags: GenerateFlags): Promise<void> {
  const { signal, begin, release } = onInterruption();
  const sources = { report: say, signal };
  const { cachedTokens, output } = flags;
  const { model } = await composeAlone({ model: modelOfFlags(flags) }, { signal });
  let loaded: TextModel | undefined;
  try {
    const rows = await rowsOf(flags, sources);
    const described = await model.describe();
    const requests = rows.map((row, index) => requestOf(row, index, described, flags));
    loaded = await model.openReference('start', { cachedTokens });
    const kept = await openKeptResults<readonly Line[]>(output);
    const policy = loaded;
    const keys = requests.map((request) => keyOf(request, policy, flags));
    begin();
    await orKept(output, signal, () => generateMissing(requests, keys, kept, policy, flags, signal));
    const lines = keys.flatMap((key, row) =>
      kept.known.get(key)!.map((line, sample) => jsonOf({ row, sample, ...promptOf(rows[row]!, flags), ...line })),
    );
    await kept.finish(`${lines.join('\n')}\n`);
    process.stdout.write(`${rows.length} prompts, ${lines.length} responses: ${output}\n`);
  } finally {
    loaded?.model.dispose();
    release();
  }
}

async function rowsOf(flags: GenerateFlags, sources: Sources): Promise<readonly PromptRow[]> {
  const files = await filesOfFlags(flags, sources);
  const rows: PromptRow[] = [];
  for await (const row of readPrompts(files, { ...formOf(flags), signal: sources.signal })) rows.push(row);
  return rows;
}

/** The columns of a prompt, as `metaapo reward` reads them; what a flag says for all rows is no column of them. */
function promptOf(row: PromptRow, flags: GenerateFlags): Readonly<Record<string, unknown>> {
  if (row.form === 'tokens') return { prompt: [...row.prompt] };
  const { tools, templateArguments = {} } = (row.form === 'messages' ? row.chat : undefined) ?? {};
  const own = Object.entries(templateArguments).filter(([name, value]) => flags.templateArguments?.[name] !== value);
  return {
    prompt: row.prompt,
    ...(tools && { tools }),
    ...(own.length > 0 && { chat_template_kwargs: Object.fromEntries(own) }),
  };
}

/** JSON in which the large integers of parquet are numbers. */
const jsonOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner));

function requestOf(
  row: PromptRow,
  index: number,
  { tokenizer, vocabularySize, eosTokenIds }: ModelDescription,
  flags: GenerateFlags,
): GenerationRequest {
  const { stop, n, maxNewTokens, temperature, topP, topK, minP, repetitionPenalty } = flags;
  return {
    prompt: tokenizePrompt(row, tokenizer, vocabularySize),
    count: n,
    maxNewTokens,
    stopTokenIds: eosTokenIds,
    stopTexts: stop,
    seed: seedOf(['generate', flags.seed, index]),
    ...{ temperature, topP, topK, minP, repetitionPenalty },
  };
}

function keyOf(
  { prompt, stopTexts, ...request }: GenerationRequest,
  { model }: TextModel,
  { logprobs }: GenerateFlags,
): string {
  return resultKey(model.fingerprint, [...prompt], request, stopTexts, ...(logprobs === true ? ['logprobs'] : []));
}

async function generateMissing(
  requests: readonly GenerationRequest[],
  keys: readonly string[],
  kept: KeptResults<readonly Line[]>,
  { model, tokenizer }: TextModel,
  flags: GenerateFlags,
  signal: AbortSignal,
): Promise<void> {
  const missing = requests.flatMap((_, index) => (kept.known.has(keys[index]!) ? [] : [index]));
  const live = flags.stream === true ? createLiveText(missing, flags.n) : undefined;
  const progress = live === undefined ? createProgress('generate') : undefined;
  let done = requests.length - missing.length;
  const textOf = (tokens: readonly number[]): string =>
    tokenizer?.decode(beforeEnd(tokens, tokenizer, flags.stop)) ?? '';
  try {
    const wanted = missing.map(
      (row): GenerationRequest => ({
        ...requests[row]!,
        onToken: live && ((sample, tokens) => live.update(row, sample, () => textOf(tokens))),
      }),
    );
    for await (const { request, generations } of model.generate!(wanted, signal)) {
      const row = missing[request]!;
      const lines = generations.map((generation) => lineOf(generation, tokenizer, flags));
      await kept.keep([keys[row]!, lines]);
      for (const [sample, { response }] of lines.entries()) live?.end(row, sample, response);
      progress?.update(++done, requests.length);
    }
  } finally {
    progress?.end();
  }
}

/** The tokens that count: those before a stop text. */
function beforeEnd(
  tokens: readonly number[] | Int32Array,
  tokenizer: Tokenizer | undefined,
  stop: readonly string[] | undefined,
): Int32Array {
  const ids = Int32Array.from(tokens);
  return tokenizer === undefined || stop === undefined ? ids : beforeStop(ids, stop, tokenizer);
}

function lineOf(
  { tokens, logprobs, finishReason }: Generation,
  tokenizer: Tokenizer | undefined,
  flags: GenerateFlags,
): Line {
  const ids = beforeEnd(tokens, tokenizer, flags.stop);
  return {
    response: tokenizer?.decode(ids) ?? '',
    response_ids: [...ids],
    ...(flags.logprobs === true && { logprobs: [...logprobs.subarray(0, ids.length)] }),
    finish_reason: ids.length < tokens.length ? 'stop' : finishReason,
  };
}
