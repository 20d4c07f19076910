import { extname } from 'node:path';
import { type ChatContext, MetaapoError } from '@metaapo/core/contracts';
import type { DataRow } from './data-row.js';
import { jsonLinesRows, jsonRows } from './json-rows.js';
import { parquetRows } from './parquet-rows.js';

/** Endings of data files, the preferred first where a data set has the same split in several forms. */
export const DATA_FILE_ENDINGS = ['.parquet', '.jsonl', '.json'] as const;

/** How rows of conversations reach the chat template. */
export interface ConversationOptions {
  /** Variables of the chat template for all rows; `chat_template_kwargs` of a row lie over them. */
  readonly templateArguments?: ChatContext['templateArguments'];
}

/** Which rows to read, and how. */
export interface ReadOptions {
  /** Columns to read from parquet files; default all. Rows of JSON files always have all keys. */
  readonly columns?: readonly string[] | undefined;
  /** Ends the reading between two rows. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Rows of one or several data files in order, as plain objects with their origin. Parquet files (uncompressed, snappy,
 * zstd, gzip, brotli, lz4) are read one row group at a time, JSON lines as a stream, JSON arrays whole.
 * @throws MetaapoError with code `data` naming the file, and the row where one is at fault
 */
export async function* readRows(files: string | readonly string[], options: ReadOptions = {}): AsyncGenerator<DataRow> {
  for (const file of typeof files === 'string' ? [files] : files) {
    for await (const row of rowsOf(file, options)) {
      options.signal?.throwIfAborted();
      yield row;
    }
  }
}

function rowsOf(file: string, { columns }: ReadOptions): AsyncGenerator<DataRow> {
  switch (extname(file).toLowerCase()) {
    case '.parquet':
      return parquetRows(file, columns);
    case '.jsonl':
    case '.ndjson':
      return jsonLinesRows(file);
    case '.json':
      return jsonRows(file);
    default:
      throw new MetaapoError('data', 'the kind of this data file is unknown', {
        where: file,
        expected: `a name that ends in ${DATA_FILE_ENDINGS.join(', ')}`,
        got: extname(file) || 'no ending',
        remedy: 'Rename or convert the file',
      });
  }
}
