import { MetaapoError } from '@metaapo/core/contracts';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { DataRow } from './data-row.js';

/**
 * Rows of a parquet file, one row group in memory at a time.
 * @param columns columns to read, where the file has them; default all
 * @throws MetaapoError with code `data` when the file is not parquet, cut short or corrupt
 */
export async function* parquetRows(path: string, columns?: readonly string[]): AsyncGenerator<DataRow> {
  const file = await guarded(path, asyncBufferFromFile(path));
  const metadata = await guarded(path, parquetMetadataAsync(file));
  const present = parquetSchema(metadata).children.map(({ element }) => element.name);
  const selected = columns ? present.filter((name) => columns.includes(name)) : present;
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const options = { file, metadata, compressors, columns: selected, rowStart, rowEnd };
    const rows =
      selected.length === 0 ? emptyRows(rowEnd - rowStart) : await guarded(path, parquetReadObjects(options));
    for (const [index, values] of rows.entries()) yield { file: path, row: rowStart + index, values };
    rowStart = rowEnd;
  }
}

/** Rows without any of the wanted columns still exist: their reader says what they lack. */
function emptyRows(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, () => ({}));
}

async function guarded<T extends AsyncBuffer | object>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw new MetaapoError('data', 'the parquet file cannot be read', {
      where: path,
      expected: 'a whole parquet file',
      got: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Check the path, and copy or download the file again',
      cause,
    });
  }
}
