import {
  beforeStop,
  type Generation,
  type GenerationRequest,
  type ModelDescription,
  type ModelSource,
  type TextModel,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { seedOf } from '@metaapo/core/numerics';
import { orBadRow, type PromptRow, readPrompts, tokenizePrompt } from '@metaapo/data';
import { checkRequests } from '@metaapo/models';
import { type ModelFlags, modelOfFlags } from '../model/model-of-flags.js';
import { describeAs, weightsOf } from '../model/open-model.js';
import { composeAlone, say } from '../recipe/compose-parts.js';
import { onInterruption } from '../terminal/interruption.js';
import { print } from '../terminal/print.js';
import { createProgress } from '../terminal/progress.js';
import { type DataFlags, filesOfFlags, type Sources } from '../training/data-files.js';
import { formOf } from '../training/load-preferences.js';
import { noRows, numberedRows } from '../training/numbered-rows.js';
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
  const { cachedTokens, output } = flags;
  const { model } = await composeAlone({ model: modelOfFlags(flags) }, { signal });
  let loaded: TextModel | undefined;
  try {
    const described = await describeAs(model, 'policy');
    const asked = await requestsOf(flags, described, { report: say, signal });
    const { tokenizer } = described;
    // The room of a model that lies elsewhere is not known here.
    if (model.estimateMemory !== undefined)
      checkRequests(
        asked.map(({ request }) => request),
        { capacity: cachedTokens, tokenizer },
      );
    if (flags.dryRun === true) return await printPlan(model, asked, flags);
    loaded = await model.openReference('start', { cachedTokens });
    const kept = await openKeptResults<readonly Line[]>(output);
    const policy = loaded;
    const keyed = asked.map((one) => ({ ...one, key: keyOf(one.request, policy, flags) }));
    begin();
    await orKept(output, signal, () => generateMissing(keyed, kept, policy, flags, signal));
    const lines = keyed.flatMap(({ row, number, key }) =>
      kept.known.get(key)!.map((line, sample) => jsonOf({ row: number, sample, ...promptOf(row, flags), ...line })),
    );
    await kept.finish(`${lines.join('\n')}\n`);
    process.stdout.write(`${asked.length} prompts, ${lines.length} responses: ${output}\n`);
  } finally {
    loaded?.model.dispose();
    release();
  }
}

/** A row with what is asked for it. */
interface AskedRow {
  readonly row: PromptRow;
  /** Number of the row over all files, bad ones too. */
  readonly number: number;
  readonly request: GenerationRequest;
}

async function requestsOf(
  flags: GenerateFlags,
  described: ModelDescription,
  sources: Sources,
): Promise<readonly AskedRow[]> {
  const files = await filesOfFlags(flags, sources);
  const form = { ...formOf(flags), signal: sources.signal };
  const read = await numberedRows(flags, sources, (onBadRow) => readPrompts(files, { ...form, onBadRow }));
  const asked = read.rows.flatMap((row, index): AskedRow | readonly AskedRow[] => {
    const number = read.numbers[index]!;
    const request = orBadRow(read.onBadRow, () => requestOf(row, number, described, flags));
    return request === undefined ? [] : { row, number, request };
  });
  read.sayBadRows();
  if (asked.length === 0) throw noRows(flags.data);
  return asked;
}

async function printPlan(model: ModelSource, asked: readonly AskedRow[], flags: GenerateFlags): Promise<void> {
  const lengths = asked.map(({ request }) => request.prompt.length);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const { n, maxNewTokens, output } = flags;
  print(`Model: ${await weightsOf(model)}`);
  print(`${asked.length} prompts of ${tokens} tokens, the longest of ${longest}`);
  print(`${asked.length * n} responses of at most ${maxNewTokens} tokens would be written: ${output}`);
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
  number: number,
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
    seed: seedOf(['generate', flags.seed, number]),
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
  asked: readonly (AskedRow & { readonly key: string })[],
  kept: KeptResults<readonly Line[]>,
  { model, tokenizer }: TextModel,
  flags: GenerateFlags,
  signal: AbortSignal,
): Promise<void> {
  const missing = asked.filter(({ key }) => !kept.known.has(key));
  const numbers = missing.map(({ number }) => number);
  const live = flags.stream === true ? createLiveText(numbers, flags.n) : undefined;
  const progress = live === undefined ? createProgress('generate') : undefined;
  let done = asked.length - missing.length;
  const textOf = (tokens: readonly number[]): string =>
    tokenizer?.decode(beforeEnd(tokens, tokenizer, flags.stop)) ?? '';
  try {
    const wanted = missing.map(
      ({ request, number }): GenerationRequest => ({
        ...request,
        onToken: live && ((sample, tokens) => live.update(number, sample, () => textOf(tokens))),
      }),
    );
    for await (const { request, generations } of model.generate!(wanted, signal)) {
      const { number, key } = missing[request]!;
      const lines = generations.map((generation) => lineOf(generation, tokenizer, flags));
      await kept.keep([key, lines]);
      for (const [sample, { response }] of lines.entries()) live?.end(number, sample, response);
      progress?.update(++done, asked.length);
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
