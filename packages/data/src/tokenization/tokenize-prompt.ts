import type { RowOrigin, Tokenizer } from '@metaapo/core/contracts';
import type { Answered } from '../rows/parse-answers.js';
import type { PromptRow, ResponseRow } from '../rows/read-prompts.js';
import { answerTexts } from './encode-answers.js';
import { carryOut } from './row-plans.js';
import type { SplitIds } from './split-at-boundary.js';

/** A prompt and one response as token ids. */
export interface TokenizedResponse {
  readonly prompt: Int32Array;
  readonly response: Int32Array;
}

/**
 * Token ids of a prompt that a response is to follow: messages with the template's opening of an answer, text with the
 * tokenizer's special tokens before it, ids as they are.
 * @param tokenizer may be `undefined` when the row holds token ids
 * @param vocabularySize number of ids that the model knows; default the tokenizer's own number
 * @throws MetaapoError with code `data` or `config`; see {@link tokenizePreference}
 */
export function tokenizePrompt(row: PromptRow, tokenizer: Tokenizer | undefined, vocabularySize?: number): Int32Array {
  return encodeNow(row, { ...row, answers: [] }, tokenizer, vocabularySize).prompt;
}

/**
 * Token ids of a prompt and its response; together they are the tokenisation of the whole text.
 * @param tokenizer may be `undefined` when the row holds token ids
 * @param vocabularySize number of ids that the model knows; default the tokenizer's own number
 * @throws MetaapoError with code `data` or `config`; see {@link tokenizePreference}
 */
export function tokenizeResponse(
  row: ResponseRow,
  tokenizer: Tokenizer | undefined,
  vocabularySize?: number,
): TokenizedResponse {
  const { prompt, responses } = encodeNow(row, answeredBy(row), tokenizer, vocabularySize);
  return { prompt, response: responses[0]! };
}

function answeredBy(row: ResponseRow): Answered {
  if (row.form === 'messages') {
    return { form: row.form, prompt: row.prompt, answers: [[...row.response]], chat: row.chat };
  }
  if (row.form === 'text') return { form: row.form, prompt: row.prompt, answers: [row.response] };
  return { form: row.form, prompt: row.prompt, answers: [row.response] };
}

function encodeNow(
  origin: RowOrigin,
  answered: Answered,
  tokenizer: Tokenizer | undefined,
  vocabularySize: number | undefined,
): SplitIds {
  const parts = [answerTexts(origin, answered, tokenizer, vocabularySize)];
  return carryOut({ parts, finish: ([ids]) => ids! }, tokenizer);
}
