import {
  type ChatMessage,
  type DemonstrationRow,
  messageText,
  type TokenizedDemonstration,
  type Tokenizer,
} from '@metaapo/core/contracts';
import { rowError } from '../rows/data-row.js';
import type { Answered } from '../rows/parse-answers.js';
import { answerTexts } from './encode-answers.js';
import { type DropReason, limitLength } from './length-limits.js';
import { carryOut, type RowPlan } from './row-plans.js';
import type { SplitIds } from './split-at-boundary.js';
import type { TokenizationOptions } from './tokenize-preference.js';
import { isTrained } from './trained-messages.js';

/** How demonstrations become token ids. */
export interface DemonstrationOptions extends TokenizationOptions {
  /** Which of the assistant's messages in a conversation are responses to train. Default `all`. */
  readonly turns?: 'all' | 'last' | undefined;
}

/** A demonstration as token ids, with what the limits took from it, or the reason why it is left out. */
export type TokenizedDemonstrationRow =
  | {
      readonly demonstration: TokenizedDemonstration;
      /** Responses that were cut. */
      readonly truncated: number;
      /** Responses left out because the conversation before them is too long already. */
      readonly beyond: number;
    }
  | { readonly dropped: DropReason };

/**
 * Token ids of one demonstration: one turn for each response to train. Its prompt is all that comes before it, with the
 * template's opening of an answer; the response ends exactly as the template ends it. A history is thus repeated in the
 * prompt of every later turn, and computed once a turn: exact for templates that render a message in another way once
 * others follow it, at the price of tokens.
 *
 * With `truncate: 'response-tail'` a conversation is cut at `maxLength`, later turns included; with `'drop'` it is left
 * out as a whole.
 * @param tokenizer may be `undefined` when the row holds token ids
 * @param number 0-based number of the row in the whole data set; default its number in the file
 * @throws MetaapoError with code `data` naming the row: an empty response, a conversation that begins with a response, a
 * first prompt over the limit, and what {@link tokenizePreference} refuses; with code `config` as there
 */
export function tokenizeDemonstration(
  row: DemonstrationRow,
  tokenizer: Tokenizer | undefined,
  options: DemonstrationOptions = {},
  number: number = row.row,
): TokenizedDemonstrationRow {
  return carryOut(demonstrationPlan(row, tokenizer, options, number), tokenizer);
}

/** What turns a demonstration into token ids; see {@link tokenizeDemonstration}. */
export function demonstrationPlan(
  row: DemonstrationRow,
  tokenizer: Tokenizer | undefined,
  options: DemonstrationOptions,
  number: number,
): RowPlan<TokenizedDemonstrationRow> {
  const parts = answersOf(row, options.turns ?? 'all').map((answered) =>
    answerTexts(row, answered, tokenizer, options.vocabularySize),
  );
  return { parts, finish: (ids) => limitedDemonstration(row, ids, options, number) };
}

function limitedDemonstration(
  row: DemonstrationRow,
  ids: readonly SplitIds[],
  options: DemonstrationOptions,
  number: number,
): TokenizedDemonstrationRow {
  const limited = limitTurns(row, ids, options);
  if ('dropped' in limited) return limited;
  const turns = limited.kept.map(({ prompt, responses }) => ({ prompt, response: responses[0]! }));
  const { truncated } = limited;
  return { demonstration: { row: number, turns }, truncated, beyond: ids.length - turns.length };
}

/** Every response to train with everything before it. */
function answersOf(row: DemonstrationRow, which: 'all' | 'last'): readonly Answered[] {
  if (row.form === 'text') return [{ form: row.form, prompt: row.prompt, answers: [row.response] }];
  if (row.form === 'tokens') return [{ form: row.form, prompt: row.prompt, answers: [row.response] }];
  const conversation = [...row.prompt, ...row.messages];
  const responses = conversation.flatMap(({ role }, index) =>
    role === 'assistant' && index >= row.prompt.length ? [index] : [],
  );
  const trained = responses.filter((index) => isTrained(row, conversation[index]!));
  if (responses.length > 0 && trained.length === 0) throw nothingToTrain(row);
  return trained.slice(which === 'last' ? -1 : 0).map((index) => {
    const message = conversation[index]!;
    checkResponse(row, message, index);
    return { form: row.form, prompt: conversation.slice(0, index), answers: [[message]], chat: row.chat };
  });
}

function nothingToTrain(row: DemonstrationRow): Error {
  return rowError(row, 'no message of the conversation is to be learnt', {
    expected: 'a message of the assistant without weight: 0 or train: false',
    remedy: 'Leave the row out',
  });
}

function checkResponse(row: DemonstrationRow, message: ChatMessage, index: number): void {
  if (index === 0) {
    throw rowError(row, 'the conversation begins with a response', {
      expected: 'a message of the user or the system before the first one of the assistant',
      remedy: 'Add what it answers, or train the last response alone with turns: last',
    });
  }
  if (messageText(message).trim() !== '') return;
  throw rowError(row, `message ${index} (counted from 0) is an empty response`, {
    expected: 'at least one character other than white space',
    remedy: 'Leave the row out, or train the last response alone with turns: last',
  });
}

/** The turns within the limits. Beyond the first turn a prompt that is too long ends the conversation. */
function limitTurns(
  row: DemonstrationRow,
  turns: readonly SplitIds[],
  options: DemonstrationOptions,
): { readonly kept: readonly SplitIds[]; readonly truncated: number } | { readonly dropped: DropReason } {
  const kept: SplitIds[] = [];
  let truncated = 0;
  for (const ids of turns) {
    const isCut = options.truncate !== 'drop' && kept.length > 0;
    const limited = limitLength(row, ids, isCut ? { ...options, longPrompt: 'drop' } : options);
    if ('dropped' in limited && isCut) break;
    if ('dropped' in limited) return limited;
    kept.push(limited.ids);
    truncated += limited.truncated;
  }
  return { kept, truncated };
}
