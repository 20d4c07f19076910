import { MetaapoError } from '../contracts/index.js';
import { type JournalEntry, openJournal, readJournal } from '../storage/index.js';
import { type RunEntry, type RunEntryOf, runEntry } from './run-entry.js';

/** The journal of a run: what it paid for and finished, in order. */
export interface RunJournal {
  /** What was asked for of what the file held when it was opened. */
  readonly entries: readonly RunEntry[];
  /** Adds entries, durable once the promise is fulfilled. */
  append(...entries: readonly RunEntry[]): Promise<void>;
}

/** What tells whether an entry is wanted, before it is parsed. */
export interface EntryHeader {
  readonly kind: string;
  readonly iteration?: unknown;
}

const all = (): boolean => true;

/**
 * Opens the journal of a run, or begins one.
 * @param isWanted entries that are kept in memory; default all
 * @throws MetaapoError with code `data` when a line does not fit its checksum or is no entry of this version
 */
export async function openRunJournal(
  file: string,
  isWanted: (header: EntryHeader) => boolean = all,
): Promise<RunJournal> {
  const journal = await openJournal(file, isWanted);
  return {
    entries: journal.entries.map((entry) => parseEntry(entry, file)),
    append: (...entries) => journal.append(...entries),
  };
}

/**
 * The wanted entries of a run's journal, which may be in use, oldest first; none where there is no file.
 * @throws MetaapoError as {@link openRunJournal} does
 */
export async function readRunJournal(
  file: string,
  isWanted: (header: EntryHeader) => boolean = all,
): Promise<readonly RunEntry[]> {
  return (await readJournal(file, isWanted)).map((entry) => parseEntry(entry, file));
}

/** The entries of one kind, in their order. */
export function entriesOfKind<Kind extends RunEntry['kind']>(
  entries: readonly RunEntry[],
  kind: Kind,
): readonly RunEntryOf<Kind>[] {
  return entries.filter((entry): entry is RunEntryOf<Kind> => entry.kind === kind);
}

function parseEntry(entry: JournalEntry, file: string): RunEntry {
  const parsed = runEntry.safeParse(entry);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new MetaapoError('data', 'this version of MetaAPO does not read the journal', {
    where: file,
    expected: 'entries as this version writes them',
    got: `an entry "${entry.kind}": ${[issue?.path.join('.'), issue?.message].filter(Boolean).join(': ')}`,
    remedy: 'Read or resume the run with the version that wrote it, or start another one with --set output=...',
  });
}
