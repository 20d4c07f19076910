import { type Fault, MetaapoError, type RowOrigin } from '@metaapo/core/contracts';

/** A row of a data file as it stands there, with its origin. */
export interface DataRow extends RowOrigin {
  /** Values by column or key. Parquet's 64-bit integers are `bigint`. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** The fault of one row as an error with code `data`: the place reads `file, row 17 (counted from 0)`. */
export function rowError(origin: RowOrigin, summary: string, fault: Omit<Fault, 'where'>): MetaapoError {
  return new MetaapoError('data', summary, { where: `${origin.file}, row ${origin.row} (counted from 0)`, ...fault });
}

/** A few words about a value for an error message; long text is cut. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return `text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`;
  if (isList(value)) return value.length === 0 ? 'an empty list' : `a list that begins with ${describeValue(value[0])}`;
  if (typeof value === 'object') return `an object with the keys ${Object.keys(value).join(', ') || '(none)'}`;
  return `${typeof value} ${String(value)}`;
}

/** True for arrays and typed arrays. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
