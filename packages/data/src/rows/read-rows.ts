import { extname } from 'node:path';
import { type ChatContext, MetaapoError } from '@metaapo/core/contracts';
import { type BadRowListener, orBadRow } from './bad-rows.js';
import { csvRows } from './csv-rows.js';
import { type DataFile, type DataFileRows, rowsOfFile } from './data-file.js';
import { type DataRow, rowError } from './data-row.js';
import { jsonRows } from './json-rows.js';
import { parquetRowCount, parquetRows } from './parquet-rows.js';
import { withoutPacking } from './text-of-file.js';

/** Endings of data files, the preferred first where a data set has the same split in several forms. */
export const DATA_FILE_ENDINGS = ['.parquet', '.jsonl', '.ndjson', '.json', '.csv', '.tsv'] as const;

/** Endings in words, for messages. */
export const DATA_FILES = `names that end in ${DATA_FILE_ENDINGS.join(', ')}, all but parquet also with .gz or .zst behind`;

/** How rows of conversations reach the chat template. */
export interface ConversationOptions {
  /** Variables of the chat template for all rows; `chat_template_kwargs` of a row lie over them. */
  readonly templateArguments?: ChatContext['templateArguments'];
}

/** Names that columns have in the files by the names that they get here; `false` for a column that is not to be read. */
export type ColumnNames = Readonly<Record<string, string | false>>;

/** Which rows to read, and how. */
export interface ReadOptions {
  /** Columns to read from parquet files; default all. Rows of other files always have all of theirs. */
  readonly columns?: readonly string[] | undefined;
  /** Names that columns have in the files, by the names that they get: `{ prompt: 'question' }`; `false` leaves one unread. */
  readonly columnNames?: ColumnNames | undefined;
  /** Hears of a row that cannot be used, which is then left out; default: its error ends the reading. */
  readonly onBadRow?: BadRowListener | undefined;
  /** Ends the reading between two rows. */
  readonly signal?: AbortSignal | undefined;
}

/** Which rows to read as what: the columns are those of the form. */
export type FormOptions = Omit<ReadOptions, 'columns'> & ConversationOptions;

/**
 * Rows of one or several data files in order, as plain objects with their origin. Parquet files (uncompressed, snappy,
 * zstd, gzip, brotli, lz4) are read one row group at a time, JSON lines, CSV and TSV as a stream, JSON arrays whole. All but
 * parquet may be packed (`.gz`, `.zst`), and JSON may hold what Python's json writes (`NaN`).
 * @throws MetaapoError with code `data` naming the file, and the row where one is at fault
 */
export async function* readRows(
  files: string | readonly DataFile[],
  options: ReadOptions = {},
): AsyncGenerator<DataRow> {
  for (const file of typeof files === 'string' ? [files] : files) {
    for await (const row of rowsOf(rowsOfFile(file), options)) {
      options.signal?.throwIfAborted();
      const named = options.columnNames ? orBadRow(options.onBadRow, () => renamed(row, options.columnNames!)) : row;
      if (named) yield named;
    }
  }
}

/**
 * What each row of data files states.
 * @param columns all columns that are read
 * @param parse what a row states; throws MetaapoError with code `data` for a bad one
 * @throws MetaapoError with code `config` when a column is given a name that nothing reads; `data` at the first bad row
 */
export async function* parsedRows<Parsed>(
  files: string | readonly DataFile[],
  columns: readonly string[],
  options: FormOptions,
  parse: (row: DataRow) => Parsed,
): AsyncGenerator<Parsed> {
  checkNames(columns, options.columnNames);
  for await (const row of readRows(files, { ...options, columns })) {
    const parsed = orBadRow(options.onBadRow, () => parse(row));
    if (parsed !== undefined) yield parsed;
  }
}

function checkNames(columns: readonly string[], names: ReadOptions['columnNames']): void {
  const unread = Object.keys(names ?? {}).find((name) => !columns.includes(name));
  if (unread === undefined) return;
  throw new MetaapoError('config', `nothing reads a column ${unread} here`, {
    where: 'data.columns',
    expected: `some of ${columns.join(', ')}`,
    got: unread,
    remedy: 'Leave it out: columns are given as {our name: name in the file}',
  });
}

function renamed(row: DataRow, names: ColumnNames): DataRow {
  const values: Record<string, unknown> = { ...row.values };
  for (const [ours, theirs] of Object.entries(names)) delete values[theirs === false ? ours : theirs];
  for (const [ours, theirs] of Object.entries(names)) {
    if (theirs === false) continue;
    if (!Object.hasOwn(row.values, theirs)) {
      throw rowError(row, `the row has no \`${theirs}\`, which is to be its \`${ours}\``, {
        got: `the columns ${Object.keys(row.values).join(', ') || '(none)'}`,
        remedy: 'Correct the name in data.columns',
      });
    }
    values[ours] = row.values[theirs];
  }
  return { ...row, values };
}

/** Ending of a data file by its kind, whether it is packed or not; `undefined` for other files. */
export function dataFileEnding(path: string): (typeof DATA_FILE_ENDINGS)[number] | undefined {
  const ending = extname(withoutPacking(path)).toLowerCase();
  const known = DATA_FILE_ENDINGS.find((one) => one === ending);
  return known === '.parquet' && withoutPacking(path) !== path ? undefined : known;
}

/** Number of rows of a data file, bad ones too. */
export async function countRows(file: string): Promise<number> {
  if (dataFileEnding(file) === '.parquet') return parquetRowCount(file);
  let count = 0;
  const onBadRow = (): void => {
    count += 1;
  };
  for await (const _ of rowsOf(rowsOfFile(file), { onBadRow })) count += 1;
  return count;
}

/** Rows of one file, read no further than needed. */
async function* rowsOf(rows: DataFileRows, options: ReadOptions): AsyncGenerator<DataRow> {
  if (dataFileEnding(rows.file) === '.parquet') {
    const { columns, columnNames = {} } = options;
    const stored = columns?.map((name) => columnNames[name] ?? name).filter((name) => name !== false);
    return yield* parquetRows(rows, stored);
  }
  for await (const row of streamedRows(rows.file, options)) {
    if (row.row >= rows.to) return;
    if (row.row >= rows.from) yield row;
  }
}

function streamedRows(file: string, { columnNames, onBadRow }: ReadOptions): AsyncGenerator<DataRow> {
  const ending = dataFileEnding(file);
  if (ending === '.csv' || ending === '.tsv') return csvRows(file, columnNames);
  if (ending !== undefined) return jsonRows(file, onBadRow);
  throw new MetaapoError('data', 'the kind of this data file is unknown', {
    where: file,
    expected: DATA_FILES,
    got: extname(file) || 'no ending',
    remedy: 'Rename or convert the file',
  });
}
