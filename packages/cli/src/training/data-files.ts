import { resolveDataFiles } from '@metaapo/data';
import type { Sources } from './open-models.js';

/** Paths of the data files of one source or several, in order; those of the hub are fetched. */
export async function dataFiles(
  source: string | readonly string[],
  split: string | undefined,
  sources: Sources,
): Promise<readonly string[]> {
  const files: string[] = [];
  for (const one of [source].flat()) files.push(...(await resolveDataFiles(one, { ...sources, split })));
  return files;
}
