import { Readable } from 'node:stream';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { type CsvError, parse } from 'csv-parse';
import type { DataRow } from './data-row.js';
import type { ColumnNames } from './read-rows.js';
import { textOfFile, withoutPacking } from './text-of-file.js';

/** Bytes of a row, and of the names of columns. */
const MOST_BYTES = 2 ** 27;

/** Fields that say that there is nothing, as pandas takes them, quoted or not. */
const MISSING = new Set(
  ',#N/A,#N/A N/A,#NA,-1.#IND,-1.#QNAN,-NaN,-nan,1.#IND,1.#QNAN,<NA>,N/A,NA,NULL,NaN,None,n/a,nan,null'.split(','),
);

/** Columns that hold numbers or truths; in all others a field is the text that it is, also where it looks like a number. */
const NUMBERS = ['score_chosen', 'score_rejected', 'label'];
const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

/**
 * Rows of a file of CSV, or of TSV by its name, read as a stream: names of columns first, fields in double quotes where
 * they hold a separator or a line feed, blank lines left out. Fields are texts as they stand; those that pandas takes for
 * missing are absent, as in load_dataset.
 * @param columnNames names of columns in the file, by those that they get
 * @throws MetaapoError with code `data` naming the file and the line
 */
export async function* csvRows(file: string, columnNames: ColumnNames = {}): AsyncGenerator<DataRow> {
  const parser = parse({
    columns: (names: string[]) => distinct(file, names),
    bom: true,
    delimiter: /\.tsv$/i.test(withoutPacking(file)) ? '\t' : ',',
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_quotes: true,
    relax_column_count_less: true,
    skip_empty_lines: true,
    max_record_size: MOST_BYTES,
  });
  const source = Readable.from(textOfFile(file));
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  const numbers = new Set(NUMBERS.map((name) => columnNames[name] || name));
  let row = 0;
  try {
    for await (const record of parser as AsyncIterable<Readonly<Record<string, string>>>) {
      const fields = Object.entries(record).map(([name, text]) => [name, fieldOf(text, numbers.has(name))]);
      yield { file, row, values: Object.fromEntries(fields) };
      row += 1;
    }
  } catch (error) {
    throw isMetaapoError(error) ? error : unreadable(file, error as CsvError);
  } finally {
    source.destroy();
  }
}

function fieldOf(text: string, isNumber: boolean): unknown {
  if (MISSING.has(text)) return null;
  if (!isNumber) return text;
  const truth = TRUTHS.get(text.toLowerCase());
  const number = Number(text);
  return truth ?? (text.trim() === '' || Number.isNaN(number) ? text : number);
}

function distinct(file: string, names: readonly string[]): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return [...names];
  throw new MetaapoError('data', 'two columns have the same name', {
    where: file,
    got: twice,
    remedy: 'Rename one of them',
  });
}

function unreadable(file: string, error: CsvError): MetaapoError {
  return new MetaapoError('data', 'the file is not CSV', {
    where: file,
    expected: 'names of columns in the first line, and as many fields in each row at most',
    got: error.message.slice(0, 300),
    remedy: 'Put fields with separators, quotes or line feeds into double quotes, or write the rows as JSON lines',
    cause: error,
  });
}
