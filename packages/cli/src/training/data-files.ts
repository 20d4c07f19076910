import { type DataFile, type DataFileOptions, resolveDataFiles } from '@metaapo/data';

/** Flags of a command that reads a data set and writes a file. */
export interface DataFlags {
  readonly data: string;
  readonly split?: string;
  readonly templateArguments?: Readonly<Record<string, unknown>>;
  readonly columns?: Readonly<Record<string, string | false>>;
  readonly dataConfig?: string;
  /** Whether a row that cannot be used ends the command, or is left out. */
  readonly badRows: 'error' | 'drop';
  /** Whether to look alone, and to write nothing. */
  readonly dryRun?: boolean;
  readonly output: string;
  readonly overwrite?: boolean;
}

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

/** The data files that flags name; those of the hub are fetched. */
export function filesOfFlags({ data, split, dataConfig }: DataFlags, sources: Sources): Promise<readonly DataFile[]> {
  return dataFiles(data, { split, config: dataConfig }, sources);
}
