/**
 * Where two lists differ first, as TRL's extract_prompt finds it: the last index of the shorter where it begins the longer.
 */
export function firstDifference<Item>(
  first: ArrayLike<Item>,
  second: ArrayLike<Item>,
  isSame: (one: Item, other: Item) => boolean,
): number {
  const common = Math.min(first.length, second.length);
  for (let index = 0; index < common; index++) if (!isSame(first[index]!, second[index]!)) return index;
  return Math.max(common - 1, 0);
}

/**
 * Where the answers begin in two texts that begin with their prompt, as TRL's extract_prompt splits them: at the first
 * character that differs, with one space before it. Characters are whole ones, as Python counts them.
 */
export function startOfAnswers(first: string, second: string): number {
  const at = firstDifference(first, second, Object.is);
  const start = isLowSurrogate(first, at) && isLowSurrogate(second, at) ? at - 1 : at;
  return first[at] !== second[at] && first[start - 1] === ' ' ? start - 1 : start;
}

function isLowSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return index > 0 && unit >= 0xdc00 && unit <= 0xdfff;
}
