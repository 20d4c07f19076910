import { resolve, sep } from 'node:path';

/** Names of run directories: as many last parts of each path as tell all of them apart. */
export function runNames(directories: readonly string[]): readonly string[] {
  const paths = directories.map((directory) => resolve(directory).split(sep));
  const longest = Math.max(...paths.map((parts) => parts.length));
  for (let count = 1; count < longest; count++) {
    const names = paths.map((parts) => parts.slice(-count).join('/'));
    if (new Set(names).size === names.length) return names;
  }
  return paths.map((parts) => parts.join('/'));
}
