import type { UnpairedRow } from '@metaapo/core/contracts';
import type { DataFile } from './data-file.js';
import { type DataRow, describeValue, rowError } from './data-row.js';
import { FOREIGN_TO_TRAINING, refuseForeign } from './foreign-columns.js';
import { parseAnswers } from './parse-answers.js';
import { type ConversationOptions, type FormOptions, parsedRows } from './read-rows.js';
import { CHAT_COLUMNS } from './row-values.js';

/** Which rows to read, and how. */
export interface UnpairedReadOptions extends FormOptions {
  /** `split`: rows are pairs, of which `chosen` is a desirable and `rejected` an undesirable response; default single responses. */
  readonly pairs?: 'split' | undefined;
}

/**
 * Judged responses of one or several data files in order, each checked: `prompt`, `completion` and `label`, true (or 1) for
 * a response that is wanted. Prompt and completion are text, message lists or lists of token ids; a message list without
 * a prompt beside it ends with the response. Other columns are left alone, but for those that change
 * numbers elsewhere.
 * @throws MetaapoError with code `data` at the first bad row, naming file, row and column
 */
export async function* readUnpaired(
  files: string | readonly DataFile[],
  { pairs, ...options }: UnpairedReadOptions = {},
): AsyncGenerator<UnpairedRow> {
  const own = pairs === 'split' ? ['prompt', 'chosen', 'rejected'] : ['prompt', 'completion', 'label'];
  const parse = (row: DataRow): readonly UnpairedRow[] =>
    pairs === 'split' ? splitPair(row, options) : [parseUnpaired(row, options)];
  for await (const read of parsedRows(files, [...own, ...CHAT_COLUMNS, ...FOREIGN_TO_TRAINING], options, parse))
    yield* read;
}

/**
 * The judged response that a row states.
 * @throws MetaapoError with code `data` naming file, row and column
 */
export function parseUnpaired(row: DataRow, { templateArguments }: ConversationOptions = {}): UnpairedRow {
  refuseForeign(row, FOREIGN_TO_TRAINING);
  const { answers, ...rest } = parseAnswers(row, ['completion'], templateArguments);
  const origin = { file: row.file, row: row.row, isDesirable: labelOf(row) };
  return { ...origin, ...rest, completion: answers[0] } as UnpairedRow;
}

/** The two responses of a pair. */
function splitPair(row: DataRow, { templateArguments }: ConversationOptions): readonly UnpairedRow[] {
  refuseForeign(row, FOREIGN_TO_TRAINING);
  const { answers, ...rest } = parseAnswers(row, ['chosen', 'rejected'], templateArguments);
  return answers.map((completion, index) => {
    const origin = { file: row.file, row: row.row, isDesirable: index === 0 };
    return { ...origin, ...rest, completion } as UnpairedRow;
  });
}

function labelOf(row: DataRow): boolean {
  const { label } = row.values;
  if (label === true || label === 1 || label === 1n) return true;
  if (label === false || label === 0 || label === 0n) return false;
  throw rowError(row, 'the row does not say whether its response is wanted', {
    expected: '`label`: true or false',
    got: describeValue(label),
    remedy: 'Add the label, or with pairs of chosen and rejected set data.pairs to split',
  });
}
