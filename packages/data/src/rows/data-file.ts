/** A data file: its path, or some of its rows. */
export type DataFile = string | DataFileRows;

/** Consecutive rows of a data file. */
export interface DataFileRows {
  readonly file: string;
  /** First row, counted from 0. */
  readonly from: number;
  /** The row behind the last one. */
  readonly to: number;
}

/** A data file with the rows that are meant of it. */
export function rowsOfFile(file: DataFile): DataFileRows {
  return typeof file === 'string' ? { file, from: 0, to: Number.POSITIVE_INFINITY } : file;
}
