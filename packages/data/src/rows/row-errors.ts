import { type DataRow, describeValue, rowError } from './data-row.js';
import { kindOf } from './value-kinds.js';

/** The error of a column that holds another type than it should. */
export function typeError(row: DataRow, column: string, expected: string): Error {
  return rowError(row, `\`${column}\` has the wrong type`, {
    expected,
    got: describeValue(row.values[column]),
    remedy: 'Correct the row, or leave it out',
  });
}

/** The error of a column that is needed and absent. */
export function missingError(row: DataRow, column: string, forms: string): Error {
  const columns = Object.keys(row.values).filter((key) => row.values[key] !== undefined && row.values[key] !== null);
  return rowError(row, `the row has no \`${column}\``, {
    expected: forms,
    got: `the columns ${columns.join(', ') || '(none)'}`,
    remedy: 'Add it, rename the column, or leave the row out',
  });
}

/** The error of a response without content. */
export function emptyError(row: DataRow, column: string): Error {
  return rowError(row, `\`${column}\` is an empty response`, {
    expected: 'at least one character other than white space',
    remedy: 'Leave the row out: there is nothing to learn from it',
  });
}

/** The error of a prompt that is absent, empty or of a kind that its answers do not go with. */
export function promptError(row: DataRow, expected: string): Error {
  const kind = kindOf(row.values.prompt);
  if (kind === 'absent') return missingError(row, 'prompt', `\`prompt\`: ${expected}`);
  const got = describeValue(row.values.prompt);
  const isEmpty = kind === 'empty' || (kind === 'text' && String(row.values.prompt).trim() === '');
  const summary = isEmpty ? '`prompt` is empty' : '`prompt` has the wrong type';
  return rowError(row, summary, { expected, got, remedy: 'Correct the row, or leave it out' });
}
