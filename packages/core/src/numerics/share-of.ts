/** Whole rows within a share of `rows`, 0 to 1; a share such as 0.58 of 100 is 58 in spite of rounding. */
export function shareOf(rows: number, share: number): number {
  return Math.min(rows, Math.floor(share * rows + 1e-9 * rows));
}
