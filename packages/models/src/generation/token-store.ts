import { MetaapoError } from '@metaapo/core/contracts';

/** Which rows of the store of keys and values are free. A row that is given back is zero before it is used again. */
export interface TokenStore {
  readonly capacity: number;
  /** Rows that can be reserved now, used ones included once they are zero. */
  readonly free: number;
  /** Rows that are zero. */
  readonly clean: number;
  /** Sets rows aside without naming them. */
  reserve(count: number): void;
  /** Names rows that were reserved. */
  take(count: number): Int32Array;
  /** Gives back rows that were taken, and what was reserved beyond them. */
  giveBack(rows: Iterable<number>, unused: number): void;
  /** Gives back everything that is taken, of sequences that will not be finished. */
  giveBackAll(): void;
  /** Rows that hold old numbers; they count as zero afterwards. */
  takeUsed(): Int32Array;
}

/** A store whose rows are all free. */
export function createTokenStore(capacity: number): TokenStore {
  let clean = Array.from({ length: capacity }, (_, row) => capacity - 1 - row);
  let used: number[] = [];
  let free = capacity;
  return {
    capacity,
    get free() {
      return free;
    },
    get clean() {
      return clean.length;
    },
    reserve(count) {
      free -= count;
    },
    take(count) {
      if (clean.length < count)
        throw new MetaapoError('internal', 'no row of the store is zero', { where: 'generation' });
      return Int32Array.from({ length: count }, () => clean.pop()!);
    },
    giveBack(rows, unused) {
      const before = used.length;
      used.push(...rows);
      free += used.length - before + unused;
    },
    giveBackAll() {
      const isClean = new Set(clean);
      used = Array.from({ length: capacity }, (_, row) => row).filter((row) => !isClean.has(row));
      free = capacity;
    },
    takeUsed() {
      const rows = Int32Array.from(used);
      clean = [...used.reverse(), ...clean];
      used = [];
      return rows;
    },
  };
}
