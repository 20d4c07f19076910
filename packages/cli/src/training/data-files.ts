import { type DataFile, type DataFileOptions, resolveDataFiles } from '@metaapo/data';

/** Where data come from, and whom to tell. */
export interface Sources {
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Paths of the data files of one source or several, in order; those of the hub are fetched. */
export async function dataFiles(
  source: string | readonly string[],
  part: Pick<DataFileOptions, 'split' | 'config'>,
  sources: Sources,
): Promise<readonly DataFile[]> {
  const files: DataFile[] = [];
  for (const one of [source].flat()) files.push(...(await resolveDataFiles(one, { ...sources, ...part })));
  return files;
}
