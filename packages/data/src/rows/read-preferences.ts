import type { OnlinePair, PreferenceRow } from '@metaapo/core/contracts';
import type { DataFile } from './data-file.js';
import { type DataRow, rowError } from './data-row.js';
import { FOREIGN_TO_TRAINING, refuseForeign } from './foreign-columns.js';
import { parseAnswers } from './parse-answers.js';
import { type ConversationOptions, type FormOptions, parsedRows } from './read-rows.js';
import { CHAT_COLUMNS, numberIn, tokensIn } from './row-values.js';
import { kindOf } from './value-kinds.js';

const ONLINE = ['online_chosen', 'online_rejected'] as const;
const OWN = ['prompt', 'chosen', 'rejected', 'score_chosen', 'score_rejected', ...ONLINE, ...CHAT_COLUMNS];
const COLUMNS = [...OWN, ...FOREIGN_TO_TRAINING];

/**
 * Preferences of one or several data files in order, each checked. Three forms of rows are known:
 * - messages: `chosen` and `rejected` as message lists, with their history or with a `prompt` (messages or text) before
 *   them; all turns of the history are kept;
 * - text: `prompt`, `chosen` and `rejected` as strings;
 * - tokens: all three as lists of token ids, and `online_chosen` with `online_rejected` if wanted.
 *
 * Conversations and texts without a prompt are split where they differ first, as TRL does.
 * `score_chosen` and `score_rejected` are taken along, and for the chat template `tools` and `chat_template_kwargs`; of
 * other columns those that change numbers elsewhere are refused, such as `margin`, and the rest are left alone.
 * @throws MetaapoError with code `data` at the first bad row, naming file, row and column
 */
export function readPreferences(
  files: string | readonly DataFile[],
  options: FormOptions = {},
): AsyncGenerator<PreferenceRow> {
  return parsedRows(files, COLUMNS, options, (row) => parsePreference(row, options));
}

/**
 * The preference that a row states.
 * @throws MetaapoError with code `data` naming file, row and column
 */
export function parsePreference(row: DataRow, { templateArguments }: ConversationOptions = {}): PreferenceRow {
  refuseForeign(row, FOREIGN_TO_TRAINING);
  const { answers, ...rest } = parseAnswers(row, ['chosen', 'rejected'], templateArguments);
  const [chosen, rejected] = answers;
  const origin = { file: row.file, row: row.row, ...scoresOf(row) };
  const online = onlinePairs(row, rest.form);
  return { ...origin, ...rest, chosen, rejected, ...(online && { online }) } as PreferenceRow;
}

function scoresOf(row: DataRow): Pick<PreferenceRow, 'scoreChosen' | 'scoreRejected'> {
  const scoreChosen = numberIn(row, 'score_chosen');
  const scoreRejected = numberIn(row, 'score_rejected');
  return {
    ...(scoreChosen !== undefined && { scoreChosen }),
    ...(scoreRejected !== undefined && { scoreRejected }),
  };
}

function onlinePairs(row: DataRow, form: PreferenceRow['form']): readonly OnlinePair[] | undefined {
  const kinds = ONLINE.map((column) => kindOf(row.values[column]));
  if (kinds.every((kind) => kind === 'absent')) return undefined;
  if (form === 'tokens' && kinds.every((kind) => kind === 'tokens')) {
    return [{ chosen: tokensIn(row, ONLINE[0]), rejected: tokensIn(row, ONLINE[1]) }];
  }
  throw rowError(row, 'the online pair cannot be used', {
    expected: '`online_chosen` and `online_rejected`, both as token ids, in a row whose other columns are token ids',
    got: `a row of ${form} with ${kinds.join(' and ')}`,
    remedy: 'Tokenise the whole row, or leave the online pair out',
  });
}
