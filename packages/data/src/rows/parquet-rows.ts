import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import type { DataFileRows } from './data-file.js';
import type { DataRow } from './data-row.js';
import { asNumbersIn } from './parquet-numbers.js';
import { checkParquetSizes } from './parquet-sizes.js';
import { pageUnpackersOf } from './unpacking.js';

/**
 * Rows of a parquet file, one row group in memory at a time; groups without a wanted row are not read.
 * @param columns columns to read, where the file has them; default all
 * @throws MetaapoError with code `data` when the file is not parquet, cut short, corrupt or too large to be unpacked
 */
export async function* parquetRows(
  { file: path, from, to }: DataFileRows,
  columns?: readonly string[],
): AsyncGenerator<DataRow> {
  const { file, metadata, compressors, selected, numbers } = await guarded(path, async () => {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const { children } = parquetSchema(metadata);
    const present = children.map(({ element }) => element.name);
    const selected = columns ? present.filter((name) => columns.includes(name)) : present;
    await checkParquetSizes(file, metadata, selected);
    const numbers = children
      .filter(({ element }) => selected.includes(element.name))
      .flatMap((column) => {
        const asNumbers = asNumbersIn(column);
        return asNumbers ? [[column.element.name, asNumbers] as const] : [];
      });
    return { file, metadata, compressors: await pageUnpackersOf(metadata), selected, numbers };
  });
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = groupStart + Number(group.num_rows);
    const [rowStart, rowEnd] = [Math.max(groupStart, from), Math.min(groupEnd, to)];
    groupStart = groupEnd;
    if (rowStart >= rowEnd) continue;
    const options = { file, metadata, compressors, columns: selected, rowStart, rowEnd };
    const rows =
      selected.length === 0 ? emptyRows(rowEnd - rowStart) : await guarded(path, () => parquetReadObjects(options));
    for (const [index, values] of rows.entries()) {
      for (const [name, asNumbers] of numbers) values[name] = asNumbers(values[name]);
      yield { file: path, row: rowStart + index, values };
    }
  }
}

/**
 * Number of rows of a parquet file, by what its end says.
 * @throws MetaapoError with code `data` when the file is not parquet
 */
export function parquetRowCount(path: string): Promise<number> {
  return guarded(path, async () => Number((await parquetMetadataAsync(await asyncBufferFromFile(path))).num_rows));
}

/** Rows without any of the wanted columns still exist: their reader says what they lack. */
function emptyRows(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, () => ({}));
}

async function guarded<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (isMetaapoError(cause)) throw cause;
    throw new MetaapoError('data', 'the parquet file cannot be read', {
      where: path,
      expected: 'a whole parquet file',
      got: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Check the path, and copy or download the file again',
      cause,
    });
  }
}
