import { MetaapoError } from '@metaapo/core/contracts';
import { type BadRowListener, orBadRow } from './bad-rows.js';
import { type DataRow, describeValue, rowError } from './data-row.js';
import { hasHalfCharacter, parseJson, withPlainNumber } from './parse-json.js';
import { textOfFile, withoutPacking } from './text-of-file.js';

/** Characters of a line, and of a file that is read as a whole. */
const MOST_CHARACTERS = 2 ** 27;

/**
 * Rows of a file of JSON, whatever its ending: one object a line, read as a stream, where the first line is an object;
 * else one array of objects, or an object whose `data` is one. Blank lines are not rows.
 * @param onBadRow hears of a line that is no row, which is then left out
 * @throws MetaapoError with code `data` naming the row that is none, or the file when it is something else
 */
export async function* jsonRows(file: string, onBadRow?: BadRowListener): AsyncGenerator<DataRow> {
  const found = lines(file);
  const first = await firstLine(found);
  if (first === undefined) return;
  const list = isOneValue(file, first) ? listOf(file, await wholeText(file, first, found)) : undefined;
  if (list === undefined) yield* rowsOfLines(file, prepended(first, found), onBadRow);
  else {
    for (const [row, value] of list.entries()) {
      const read = orBadRow(onBadRow, () => rowOf({ file, row }, value));
      if (read) yield read;
    }
  }
}

/** True when the first line is not a row of its own. A file of lines by its name is one, unless it begins with an array. */
function isOneValue(file: string, first: string): boolean {
  if (first.trimStart().startsWith('[')) return true;
  if (!/\.json$/i.test(withoutPacking(file))) return false;
  try {
    return listIn(parseJson(first)) !== undefined;
  } catch {
    return true;
  }
}

/** The rows of a value that a whole file holds. */
function listOf(file: string, text: string): readonly unknown[] {
  const fault = { where: file, expected: 'one array of rows, or one row a line' };
  try {
    const value = parseJson(text);
    const list = Array.isArray(value) ? value : listIn(value);
    if (list !== undefined) return list;
    throw new MetaapoError('data', 'the JSON file is not an array', {
      ...fault,
      got: describeValue(value),
      remedy: AS_ROWS,
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new MetaapoError('data', 'the file is not JSON', { ...fault, got: error.message, remedy: AS_ROWS });
  }
}

const AS_ROWS = 'Write it as one array, or as one row a line';

function listIn(value: unknown): readonly unknown[] | undefined {
  const data = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  const list = data.find(([key]) => key === 'data')?.[1];
  return Array.isArray(list) && list.every((item) => typeof item === 'object' && item !== null) ? list : undefined;
}

async function* rowsOfLines(
  file: string,
  found: AsyncIterable<string>,
  onBadRow: BadRowListener | undefined,
): AsyncGenerator<DataRow> {
  let row = 0;
  for await (const line of found) {
    if (line.trim() === '') continue;
    const origin = { file, row };
    const read = orBadRow(onBadRow, () => rowOf(origin, parsedLine(origin, line)));
    if (read) yield read;
    row += 1;
  }
}

function parsedLine(origin: { file: string; row: number }, line: string): unknown {
  try {
    const value = parseJson(line);
    if (!hasHalfCharacter(line, value)) return value;
  } catch (error) {
    throw rowError(origin, 'the line is not JSON', { got: error instanceof Error ? error.message : String(error) });
  }
  throw rowError(origin, 'a text holds half a character (a surrogate that stands alone)', {
    expected: 'text that UTF-8 can hold',
    remedy: 'Correct the row, or leave it out',
  });
}

function rowOf(origin: { file: string; row: number }, value: unknown): DataRow {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const columns = Object.entries(value).map(([name, own]) => [name, withPlainNumber(own)]);
    return { ...origin, values: Object.fromEntries(columns) };
  }
  throw rowError(origin, 'the row is not an object', {
    expected: 'an object such as {"prompt": ..., "chosen": ..., "rejected": ...}',
    got: describeValue(value),
  });
}

/** Lines as JSON lines has them: only a line feed ends one, so that U+2028 may stand in a string. */
async function* lines(file: string): AsyncGenerator<string> {
  let pending: string[] = [];
  let held = 0;
  for await (const chunk of textOfFile(file)) {
    const pieces = chunk.split('\n');
    held += chunk.length;
    if (held > MOST_CHARACTERS && pieces.length === 1) throw tooLong(file, 'a line');
    if (pieces.length > 1) {
      held = pieces.at(-1)!.length;
      yield pending.join('') + pieces[0];
      yield* pieces.slice(1, -1);
      pending = [];
    }
    pending.push(pieces.at(-1)!);
  }
  yield pending.join('');
}

async function firstLine(found: AsyncGenerator<string>): Promise<string | undefined> {
  for (;;) {
    const { value, done } = await found.next();
    if (done === true) return undefined;
    if (value.trim() !== '') return value;
  }
}

async function* prepended(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}

async function wholeText(file: string, first: string, rest: AsyncIterable<string>): Promise<string> {
  const all = [first];
  let length = first.length;
  for await (const line of rest) {
    length += line.length + 1;
    if (length > MOST_CHARACTERS) throw tooLong(file, 'a JSON file of one value');
    all.push(line);
  }
  return all.join('\n');
}

function tooLong(file: string, what: string): MetaapoError {
  return new MetaapoError('data', `${what} is too long`, {
    where: file,
    expected: `at most ${MOST_CHARACTERS} characters`,
    remedy: 'Write one row a line, with line feeds between them',
  });
}
