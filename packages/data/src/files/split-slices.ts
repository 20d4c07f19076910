import { MetaapoError } from '@metaapo/core/contracts';
import type { DataFile } from '../rows/data-file.js';

/** A split, or rows of it. */
export interface SplitPart {
  /** Absent: the only split that there is. */
  readonly name: string | undefined;
  readonly slice?: Slice | undefined;
}

/** Rows of a split, by their numbers or by percent of it; below 0 they are counted from its end. */
interface Slice {
  /** As it is written, for messages. */
  readonly text: string;
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly unit: 'rows' | 'percent';
  readonly rounding: string;
}

const NUMBER = '(-?\\d[\\d_]*)(%)?';
const SPLIT = new RegExp(`^([^[\\]()+]+)(?:\\[(?:${NUMBER})?:(?:${NUMBER})?\\])?(?:\\(([^)]*)\\))?$`);
const ROUNDINGS = ['closest', 'pct1_dropremainder'];

/**
 * The parts of a split as Python's load_dataset writes them: `train`, `train[:10%]`, `train[100:]+test`,
 * `train[:33%](pct1_dropremainder)`.
 * @param where the data set, for errors
 * @throws MetaapoError with code `data` for a text that is none
 */
export function splitParts(where: string, split: string | undefined): readonly SplitPart[] {
  return split === undefined ? [{ name: undefined }] : split.split('+').map((part) => partIn(where, part.trim()));
}

function partIn(where: string, text: string): SplitPart {
  const [found, name, from, fromUnit, to, toUnit, rounding = 'closest'] = SPLIT.exec(text) ?? [];
  if (found === undefined || !ROUNDINGS.includes(rounding)) {
    throw new MetaapoError('data', 'the split cannot be read', {
      where,
      expected: 'splits as load_dataset has them: train, train[:10%], train[100:200], or several with + between them',
      got: text,
      remedy: 'Correct the name of the split',
    });
  }
  if (!text.includes('[')) return { name };
  const unit = fromUnit !== undefined || toUnit !== undefined ? 'percent' : 'rows';
  return { name, slice: { text, from: numberOf(from), to: numberOf(to), unit, rounding } };
}

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text.replaceAll('_', ''));

/**
 * The rows of files that a slice of all of them means, rounded as load_dataset rounds.
 * @param where the data set, for errors
 * @param countRows the number of rows of a file
 * @throws MetaapoError with code `data` when it means none
 */
export async function slicedFiles(
  where: string,
  files: readonly string[],
  slice: Slice,
  countRows: (file: string) => Promise<number>,
): Promise<readonly DataFile[]> {
  const counts: number[] = [];
  for (const file of files) counts.push(await countRows(file));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const from = boundary(where, slice, slice.from, total) ?? 0;
  const to = boundary(where, slice, slice.to, total) ?? total;
  let start = 0;
  const chosen = files.flatMap((file, index) => {
    const [first, count] = [start, counts[index]!];
    start += count;
    const rows = { file, from: Math.max(from - first, 0), to: Math.min(to - first, count) };
    return rows.from < rows.to ? [rows] : [];
  });
  if (chosen.length > 0) return chosen;
  throw new MetaapoError('data', 'the slice of the split has no row', {
    where,
    got: `${slice.text} of ${total} rows`,
    remedy: 'Choose other bounds',
  });
}

/** A bound of a slice as the number of a row. */
function boundary(where: string, slice: Slice, stated: number | undefined, total: number): number | undefined {
  if (stated === undefined) return undefined;
  const row = slice.unit === 'rows' ? stated : rowAtPercent(where, slice, stated, total);
  return Math.min(row < 0 ? Math.max(total + row, 0) : row, total);
}

function rowAtPercent(where: string, { rounding, text }: Slice, percent: number, total: number): number {
  if (rounding === 'closest') return roundedHalfToEven((percent * total) / 100);
  if (total >= 100) return percent * Math.trunc(total / 100);
  throw new MetaapoError('data', 'pct1_dropremainder needs a split of 100 rows at least', {
    where,
    got: `${text} of ${total} rows`,
    remedy: 'Leave the rounding out',
  });
}

/** As Python rounds. */
function roundedHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}
