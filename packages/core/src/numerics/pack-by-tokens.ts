/**
 * Splits a sequence of items into consecutive runs of at most `budget` tokens; an item larger than that stands alone.
 * @returns index ranges `[start, end)` in order
 */
export function packByTokens(tokens: readonly number[], budget: number): readonly (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  let start = 0;
  let used = 0;
  for (const [index, count] of tokens.entries()) {
    if (index > start && used + count > budget) {
      ranges.push([start, index]);
      start = index;
      used = 0;
    }
    used += count;
  }
  if (tokens.length > start) ranges.push([start, tokens.length]);
  return ranges;
}

/** The first run of {@link packByTokens}: as many items as the budget has room for, and one at least; none of none. */
export function firstPack<Item>(
  items: readonly Item[],
  costOf: (item: Item) => number,
  budget: number,
): readonly Item[] {
  const [first] = packByTokens(items.map(costOf), budget);
  return items.slice(...(first ?? [0, 0]));
}
