import { createReadStream } from 'node:fs';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { readTextFile } from '@metaapo/core/storage';
import { type DataRow, describeValue, rowError } from './data-row.js';

/**
 * Rows of a JSON-lines file, read as a stream. Blank lines are not rows.
 * @throws MetaapoError with code `data` naming the row whose line is not a JSON object
 */
export async function* jsonLinesRows(file: string): AsyncGenerator<DataRow> {
  let row = 0;
  for await (const line of lines(file)) {
    if (line.trim() === '') continue;
    const origin = { file, row };
    yield {
      ...origin,
      values: objectOf(
        origin,
        parsed(line, (got) => rowError(origin, 'the line is not JSON', { got })),
      ),
    };
    row += 1;
  }
}

/**
 * Rows of a JSON file that holds one array of objects.
 * @throws MetaapoError with code `data` when the file is something else
 */
export async function* jsonRows(file: string): AsyncGenerator<DataRow> {
  const read = readTextFile(file, { mostBytes: MOST_CHARACTERS, code: 'data' });
  const text = withoutMark(
    await read.catch((cause: Error) => (isMetaapoError(cause) ? Promise.reject(cause) : unreadable(file, cause))),
  );
  const fault = { where: file, expected: 'one array of rows', remedy: 'One row a line belongs in a .jsonl file' };
  const content = parsed(text, (got) => new MetaapoError('data', 'the file is not JSON', { ...fault, got }));
  if (!Array.isArray(content)) {
    throw new MetaapoError('data', 'the JSON file is not an array', { ...fault, got: describeValue(content) });
  }
  for (const [row, value] of content.entries()) yield { file, row, values: objectOf({ file, row }, value) };
}

/** Lines as JSON lines has them: only a line feed ends one, so that U+2028 may stand in a string. */
async function* lines(file: string): AsyncGenerator<string> {
  let pending: string[] = [];
  let held = 0;
  const stream = createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 });
  try {
    for await (const chunk of stream) {
      const pieces = (chunk as string).split('\n');
      held += (chunk as string).length;
      if (held > MOST_CHARACTERS && pieces.length === 1) throw tooLong(file);
      if (pieces.length > 1) {
        held = pieces.at(-1)!.length;
        yield withoutMark(pending.join('') + pieces[0]);
        yield* pieces.slice(1, -1);
        pending = [];
      }
      pending.push(pieces.at(-1)!);
    }
  } catch (cause) {
    if (isMetaapoError(cause)) throw cause;
    unreadable(file, cause as Error);
  }
  yield withoutMark(pending.join(''));
}

/** Characters of a line, and of a file that is read as a whole. */
const MOST_CHARACTERS = 2 ** 27;

function tooLong(file: string): MetaapoError {
  return new MetaapoError('data', 'a line is too long', {
    where: file,
    expected: `at most ${MOST_CHARACTERS} characters`,
    remedy: 'One row a line: check that the lines have ends',
  });
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function parsed(text: string, fault: (got: string) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error));
  }
}

function objectOf(origin: { file: string; row: number }, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw rowError(origin, 'the row is not an object', {
    expected: 'an object such as {"prompt": ..., "chosen": ..., "rejected": ...}',
    got: describeValue(value),
  });
}

function unreadable(file: string, cause: Error): never {
  throw new MetaapoError('data', 'the file cannot be read', {
    where: file,
    got: cause.message,
    remedy: 'Check the path and its permissions',
    cause,
  });
}
