import { MetaapoError } from '@metaapo/core/contracts';

/** Which pages of the store of keys and values are free. A page that is given back is zero before it is used again. */
export interface PageStore {
  readonly capacity: number;
  /** Pages that can be reserved now, used ones included once they are zero. */
  readonly free: number;
  /** Pages that are zero. */
  readonly clean: number;
  /** Sets pages aside without naming them. */
  reserve(count: number): void;
  /** Names pages that were reserved. */
  take(count: number): Int32Array;
  /** Gives back pages that were taken, and what was reserved beyond them. */
  giveBack(pages: Iterable<number>, unused: number): void;
  /** Gives back everything that is taken, of sequences that will not be finished. */
  giveBackAll(): void;
  /** Pages that hold old numbers; they count as zero afterwards. */
  takeUsed(): Int32Array;
}

/** A store whose pages are all free. */
export function createPageStore(capacity: number): PageStore {
  let clean = Array.from({ length: capacity }, (_, page) => capacity - 1 - page);
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
        throw new MetaapoError('internal', 'no page of the store is zero', { where: 'generation' });
      return Int32Array.from({ length: count }, () => clean.pop()!);
    },
    giveBack(pages, unused) {
      const before = used.length;
      used.push(...pages);
      free += used.length - before + unused;
    },
    giveBackAll() {
      const isClean = new Set(clean);
      used = Array.from({ length: capacity }, (_, page) => page).filter((page) => !isClean.has(page));
      free = capacity;
    },
    takeUsed() {
      const pages = Int32Array.from(used);
      clean = [...used.reverse(), ...clean];
      used = [];
      return pages;
    },
  };
}
