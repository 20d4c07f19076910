import type { Tokenizer } from '@metaapo/core/contracts';

/** The log-probability of a token that was drawn, with what the server says of the token. */
export interface LogprobEntry {
  readonly logprob?: unknown;
  readonly token?: unknown;
  readonly id?: unknown;
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** The entries of `logprobs` of a choice, of conversations or of completions; none where there are none. */
export function logprobEntries(logprobs: unknown): readonly LogprobEntry[] {
  if (!isFields(logprobs)) return [];
  const { content, tokens, token_logprobs: values } = logprobs;
  if (Array.isArray(content)) return content.map((entry) => (isFields(entry) ? entry : {}));
  if (!Array.isArray(values)) return [];
  return values.map((logprob, index) => ({ logprob, token: Array.isArray(tokens) ? tokens[index] : undefined }));
}

/** `[T]` log-probabilities of entries; `undefined` where one has none that is finite, or there are none. */
export function valuesOf(entries: readonly LogprobEntry[]): Float32Array | undefined {
  const values = Float32Array.from(entries, ({ logprob }) => (typeof logprob === 'number' ? logprob : Number.NaN));
  return values.length > 0 && values.every(Number.isFinite) ? values : undefined;
}

/** `[T]` token ids that come with the entries (llama.cpp; vLLM with `return_tokens_as_token_ids`). */
export function idsOf(entries: readonly LogprobEntry[], { vocabularySize }: Tokenizer): Int32Array | undefined {
  const ids = entries.map(({ id, token }) => (typeof id === 'number' ? id : idIn(token)));
  return ids.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize) ? Int32Array.from(ids) : undefined;
}

/** The id in `token_id:5`; NaN where there is none. */
function idIn(token: unknown): number {
  return Number(typeof token === 'string' ? /^token_id:(\d+)$/.exec(token)?.[1] : undefined);
}
