import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, sep } from 'node:path';
import { nearest } from '@metaapo/core/contracts';

/**
 * The path that is there and nearest to a misspelt one: each part that is not there is replaced by the name in its
 * directory that is nearest to it; `undefined` where one has none.
 */
export function nearestPath(path: string): string | undefined {
  let place = isAbsolute(path) ? sep : '';
  for (const part of path.split(/[/\\]/).filter((one) => one !== '' && one !== '.')) {
    const exact = join(place, part);
    const found = existsSync(exact) ? part : nearest(part, namesIn(place));
    if (found === undefined) return undefined;
    place = join(place, found);
  }
  return place;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory === '' ? '.' : directory);
  } catch {
    return [];
  }
}
