import type { PreferenceRow, TokenizedPreference, Tokenizer } from '@metaapo/core/contracts';
import type { BadRowListener } from '../rows/bad-rows.js';
import type { Answered } from '../rows/parse-answers.js';
import { answerTexts } from './encode-answers.js';
import { type DropReason, type LengthLimits, limitLength } from './length-limits.js';
import { type EndedIds, endResponses, type ResponseEnd } from './response-end.js';
import { carryOut, type RowPlan } from './row-plans.js';
import type { SplitIds } from './split-at-boundary.js';
import { checkTellsApart } from './trained-messages.js';

/** How rows become token ids. */
export interface TokenizationOptions extends LengthLimits, ResponseEnd {
  /** Number of ids that the model knows; default the tokenizer's own number. */
  readonly vocabularySize?: number | undefined;
  /** Most rows that are kept of a data set; reading ends there. Default all. */
  readonly maxRows?: number | undefined;
  /** Hears of a row that cannot be tokenised, which is then left out; default: its error ends the reading. */
  readonly onBadRow?: BadRowListener | undefined;
  /** Told the number of rows that are done. */
  readonly progress?: ((rows: number) => void) | undefined;
}

/** A preference as token ids with the number of its responses that were cut, or the reason why it is left out. */
export type TokenizedRow =
  | { readonly preference: TokenizedPreference; readonly truncated: number }
  | { readonly dropped: DropReason };

/**
 * Token ids of one preference. Prompt ids followed by response ids are the tokenisation of the whole text, also where a
 * token spans the boundary; messages end exactly as the chat template ends them, or at their end-of-sequence token.
 * @param tokenizer may be `undefined` when the row holds token ids
 * @param number 0-based number of the row in the whole data set; default its number in the file
 * @throws MetaapoError with code `data` naming the row: a doubled BOS, an id outside the vocabulary, an empty response, a
 * prompt over the limit; with code `config` when the tokenizer is missing or has no chat template
 */
export function tokenizePreference(
  row: PreferenceRow,
  tokenizer: Tokenizer | undefined,
  options: TokenizationOptions = {},
  number: number = row.row,
): TokenizedRow {
  return carryOut(preferencePlan(row, tokenizer, options, number), tokenizer);
}

/** What turns a preference into token ids; see {@link tokenizePreference}. */
export function preferencePlan(
  row: PreferenceRow,
  tokenizer: Tokenizer | undefined,
  options: TokenizationOptions,
  number: number,
): RowPlan<TokenizedRow> {
  const parts = [answerTexts(row, answersOf(row), tokenizer, options.vocabularySize)];
  const ended = (ids: SplitIds): EndedIds => (row.form === 'messages' ? endResponses(ids, tokenizer!, options) : ids);
  return { parts, finish: ([encoded]) => limitedRow(row, ended(encoded!), options, number) };
}

function limitedRow(row: PreferenceRow, encoded: EndedIds, options: TokenizationOptions, number: number): TokenizedRow {
  checkTellsApart(row, encoded.responses[0]!, encoded.responses[1]!);
  const limited = limitLength(row, encoded, options);
  if ('dropped' in limited) return limited;
  const { prompt, responses, opening, ending }: EndedIds = limited.ids;
  const [chosen, rejected, ...others] = responses as [Int32Array, Int32Array, ...Int32Array[]];
  const given = { ...(opening && { opening }), ...(ending && { ending }), ...marginOf(row), ...onlineOf(row, others) };
  const preference = { row: number, prompt, chosen, rejected, ...given };
  return { preference, truncated: limited.truncated };
}

function answersOf(row: PreferenceRow): Answered {
  if (row.form === 'messages') {
    return { form: row.form, prompt: row.prompt, answers: [[...row.chosen], [...row.rejected]], chat: row.chat };
  }
  if (row.form === 'text') return { form: row.form, prompt: row.prompt, answers: [row.chosen, row.rejected] };
  const { form, prompt, chosen, rejected, online = [] } = row;
  const others = online.flatMap((pair) => [pair.chosen, pair.rejected]);
  return { form, prompt, answers: [chosen, rejected, ...others] };
}

/** How much better the chosen response was judged, where the data set says it of both. */
function marginOf({ scoreChosen, scoreRejected }: PreferenceRow): Pick<TokenizedPreference, 'margin'> {
  return scoreChosen === undefined || scoreRejected === undefined ? {} : { margin: scoreChosen - scoreRejected };
}

/** The online pairs of a row, as their limited ids. */
function onlineOf(row: PreferenceRow, ids: readonly Int32Array[]): Pick<TokenizedPreference, 'online'> {
  if (row.form !== 'tokens' || row.online === undefined) return {};
  const online = row.online.map((pair, index) => ({
    ...pair,
    chosen: ids[2 * index]!,
    rejected: ids[2 * index + 1]!,
  }));
  return { online };
}
