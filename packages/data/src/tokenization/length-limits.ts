import { MetaapoError, type RowOrigin } from '@metaapo/core/contracts';
import { rowError } from '../rows/data-row.js';
import type { SplitIds } from './split-at-boundary.js';

/** How long rows may be, and what happens to longer ones. */
export interface LengthLimits {
  /** Most tokens of a prompt with one response; default no limit. */
  readonly maxLength?: number | undefined;
  /** Most tokens of a prompt; default: what `maxLength` leaves room for. */
  readonly maxPromptLength?: number | undefined;
  /**
   * `response-tail` (default) cuts the end of a longer response, its end-of-sequence token with it; `ended-tail` cuts it and
   * puts that token in the last place that is left; `drop` leaves the row out. All are counted.
   */
  readonly truncate?: 'response-tail' | 'ended-tail' | 'drop' | undefined;
  /** What `ended-tail` ends a cut response with. */
  readonly endTokenId?: number | undefined;
  /** A prompt that leaves no room for a response: an error, or the row is left out. Default `error` with `response-tail`, else `drop`. */
  readonly longPrompt?: 'error' | 'drop' | undefined;
}

/** Why a row was left out. */
export type DropReason = 'prompt too long' | 'response too long';

/** A row within the limits, with the number of responses cut, or the reason why it is left out. */
export type LimitedIds = { readonly ids: SplitIds; readonly truncated: number } | { readonly dropped: DropReason };

/**
 * A row held to its limits.
 * @throws MetaapoError with code `data` when the prompt is too long and `longPrompt` is `error`; `config` when a cut response
 * is to be ended and nothing says with which token
 */
export function limitLength(origin: RowOrigin, ids: SplitIds, limits: LengthLimits): LimitedIds {
  const { maxLength = Number.POSITIVE_INFINITY, truncate = 'response-tail' } = limits;
  const maxPromptLength = Math.min(limits.maxPromptLength ?? maxLength, maxLength - 1);
  if (ids.prompt.length > maxPromptLength) {
    const { longPrompt = truncate === 'drop' ? 'drop' : 'error' } = limits;
    if (longPrompt === 'drop') return { dropped: 'prompt too long' };
    throw longPromptError(origin, ids.prompt.length, maxPromptLength, limits);
  }
  const room = maxLength - ids.prompt.length;
  const truncated = ids.responses.filter(({ length }) => length > room).length;
  if (truncated === 0) return { ids, truncated };
  if (truncate === 'drop') return { dropped: 'response too long' };
  const endTokenId = truncate === 'ended-tail' ? requireEnd(origin, limits) : undefined;
  const cut = (response: Int32Array): Int32Array => {
    const kept = response.slice(0, room);
    if (endTokenId !== undefined && response.length > room) kept[room - 1] = endTokenId;
    return kept;
  };
  return { ids: { ...ids, responses: ids.responses.map(cut) }, truncated };
}

function requireEnd({ file }: RowOrigin, { endTokenId }: LengthLimits): number {
  if (endTokenId !== undefined) return endTokenId;
  throw new MetaapoError('config', 'a cut response is to end with an end-of-sequence token, and none is known', {
    where: file,
    expected: 'eos_token in tokenizer_config.json, or eos_token_id in the config of the model',
    remedy: 'Add it, or choose truncate: response-tail',
  });
}

function longPromptError(
  origin: RowOrigin,
  length: number,
  most: number,
  { maxLength, maxPromptLength }: LengthLimits,
): Error {
  const limit = maxPromptLength === undefined ? `maxLength is ${maxLength}` : `maxPromptLength is ${maxPromptLength}`;
  return rowError(origin, 'the prompt is longer than the limit', {
    expected: `at most ${most} tokens (${limit}, and a response needs at least one)`,
    got: `${length} tokens`,
    remedy: 'Raise maxLength, or leave such rows out with longPrompt: drop (in flags --max-length, --long-prompt drop)',
  });
}
