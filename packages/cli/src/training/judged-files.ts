import { type PathKind, requireThere } from '../recipe/require-there.js';
import { requireOutputFile } from './require-output-file.js';

/** Flags of a command that reads models or files, and writes a file. */
interface FileFlags {
  readonly output: string;
  readonly overwrite?: boolean;
  readonly model?: string;
  readonly reference?: string;
  readonly adapter?: string;
  readonly data?: string;
  readonly scores?: string;
}

const KINDS = {
  model: 'model',
  reference: 'model',
  adapter: 'model',
  data: 'data',
  scores: 'file',
} as const satisfies Readonly<Record<string, PathKind>>;

/**
 * The flags with links of the output resolved, once everything that the command reads is there and it may write.
 * @throws MetaapoError with code `config` for a path that leads nowhere, or an output that is in the way
 */
export async function withJudgedFiles<Flags extends FileFlags>(flags: Flags): Promise<Flags> {
  const inputs = requireInputs(flags);
  return { ...flags, output: await requireOutputFile(flags.output, { overwrite: flags.overwrite, inputs }) };
}

/**
 * Looks whether everything that the flags name is there.
 * @returns the paths; a model that is written as YAML is looked for by its part
 * @throws MetaapoError with code `config` for a path that leads nowhere
 */
export function requireInputs(flags: Omit<FileFlags, 'output'>): readonly string[] {
  const named = Object.entries(KINDS).flatMap(([key, kind]) => {
    const path = flags[key as keyof typeof KINDS];
    return path === undefined || path.trimStart().startsWith('{') ? [] : [{ path, kind }];
  });
  for (const { path, kind } of named) requireThere(path, kind);
  return named.map(({ path }) => path);
}
