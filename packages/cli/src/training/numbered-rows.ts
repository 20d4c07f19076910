import { MetaapoError } from '@metaapo/core/contracts';
import { type BadRowListener, listBadRows } from '@metaapo/data';
import type { DataFlags, Sources } from './data-files.js';

/** Rows of the data that flags name. */
export interface NumberedRows<Row> {
  readonly rows: readonly Row[];
  /** Number of each row over all files, from 0: rows that were left out have one too. */
  readonly numbers: readonly number[];
  /** Hears of a row that is bad for another reason; absent where its error ends the command. */
  readonly onBadRow: BadRowListener | undefined;
  /** Says how many rows were left out, and what is wrong with them. */
  readonly sayBadRows: () => void;
}

/**
 * All rows that a command reads; bad ones are left out where its flags say so.
 * @throws MetaapoError with code `data` at the first bad row that is not to be left out, or when there are no rows
 */
export async function numberedRows<Row>(
  { data, badRows }: DataFlags,
  { report }: Pick<Sources, 'report'>,
  read: (onBadRow: BadRowListener | undefined) => AsyncIterable<Row>,
): Promise<NumberedRows<Row>> {
  const { onBadRow, lines } = listBadRows(badRows);
  const rows: Row[] = [];
  const numbers: number[] = [];
  let left = 0;
  const heard: BadRowListener | undefined =
    onBadRow &&
    ((error) => {
      left += 1;
      onBadRow(error);
    });
  for await (const row of read(heard)) {
    numbers.push(rows.length + left);
    rows.push(row);
  }
  const sayBadRows = (): void => {
    for (const line of lines()) report(`data: ${line}`);
  };
  if (rows.length > 0) return { rows, numbers, onBadRow, sayBadRows };
  sayBadRows();
  throw noRows(data);
}

/** The error of a command that has no row to work with. */
export function noRows(data: string): MetaapoError {
  return new MetaapoError('data', 'there are no rows that can be used', {
    where: data,
    remedy: 'Give a file with rows, or correct those that are left out',
  });
}
