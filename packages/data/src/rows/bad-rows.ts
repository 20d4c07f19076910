import { isMetaapoError, type MetaapoError } from '@metaapo/core/contracts';

/** Hears of a row that cannot be used, which is then left out. */
export type BadRowListener = (error: MetaapoError) => void;

/**
 * The result of reading a row, or `undefined` where a listener heard that it is bad.
 * @param listener absent: the error is thrown
 */
export function orBadRow<Result>(listener: BadRowListener | undefined, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (listener === undefined || !isMetaapoError(error) || error.code !== 'data') throw error;
    listener(error);
    return undefined;
  }
}

/** Most bad rows that are told one by one. */
const MOST_SHOWN = 20;

/** Rows that were left out because they are bad. */
export interface BadRows {
  /** Absent where the first bad row is to end the reading. */
  readonly onBadRow: BadRowListener | undefined;
  /** Lines that say how many they are, and what is wrong with each of the first twenty. */
  readonly lines: () => readonly string[];
}

/** A list of bad rows, or with `error` none: the first one ends the reading. */
export function listBadRows(badRows: 'error' | 'drop'): BadRows {
  if (badRows === 'error') return { onBadRow: undefined, lines: () => [] };
  const errors: string[] = [];
  return {
    onBadRow: (error) => errors.push(error.message),
    lines: () => {
      if (errors.length === 0) return [];
      const more = errors.length > MOST_SHOWN ? [`… and ${errors.length - MOST_SHOWN} more`] : [];
      return [`${errors.length} bad rows left out`, ...errors.slice(0, MOST_SHOWN), ...more];
    },
  };
}
