import { parsePartFlag } from '../recipe/parse-part-flag.js';
import { requirePartPaths } from '../recipe/require-named-paths.js';
import { type PathKind, requireThere } from '../recipe/require-there.js';
import { inputsOf } from './require-apart.js';
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
  readonly reward?: string;
  readonly metaLearner?: string;
}

const PART_KEYS = ['model', 'reference', 'reward', 'metaLearner'] as const;

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
  const inputs = [...requireInputs(flags), ...partInputs(flags)];
  return { ...flags, output: await requireOutputFile(flags.output, { overwrite: flags.overwrite, inputs }) };
}

/** Paths that parts in YAML read, such as `init` of a meta-learner. */
function partInputs(flags: FileFlags): readonly string[] {
  return PART_KEYS.flatMap((key) => {
    const text = flags[key];
    return text === undefined || !isPart(text) ? [] : inputsOf({ part: parsePartFlag(key, text) });
  });
}

/** True for a part in YAML. */
const isPart = (text: string): boolean => text.trimStart().startsWith('{');

/**
 * Looks whether everything that the flags name is there.
 * @returns the paths of models and data; those that parts name are looked at too
 * @throws MetaapoError with code `config` for a path that leads nowhere
 */
export function requireInputs(flags: Omit<FileFlags, 'output'>): readonly string[] {
  const named = Object.entries(KINDS).flatMap(([key, kind]) => {
    const path = flags[key as keyof typeof KINDS];
    return path === undefined || isPart(path) ? [] : [{ path, kind }];
  });
  for (const key of ['model', 'reference', 'reward'] as const) {
    const text = flags[key];
    if (text !== undefined && isPart(text)) requirePartPaths(parsePartFlag(`--${key}`, text));
  }
  for (const { path, kind } of named) requireThere(path, kind);
  return named.map(({ path }) => path);
}
