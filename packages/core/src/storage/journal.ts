import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { MetaapoError } from '../contracts/index.js';
import { writeAtomically } from './write-atomically.js';

/** One event of a run: its kind, and whatever belongs to it. */
export interface JournalEntry {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** An append-only file of events; every line carries a checksum of itself. */
export interface Journal {
  /** What the file held when it was opened. */
  readonly entries: readonly JournalEntry[];
  /** Adds events, durable once the promise is fulfilled. */
  append(...entries: readonly JournalEntry[]): Promise<void>;
}

/**
 * Opens a journal, or begins one. A last line that a crash cut is dropped.
 * @param keep entries to go on with; others are taken out of the file. Default all.
 * @throws MetaapoError with code `data` when a line before the last one does not fit its checksum
 */
export async function openJournal(file: string, keep: (entry: JournalEntry) => boolean = () => true): Promise<Journal> {
  const text = await textOf(file);
  const entries = parseJournal(text, file).filter(keep);
  const kept = entries.map(lineOf).join('');
  if (kept !== text) await writeAtomically(file, kept);
  let last: Promise<void> = Promise.resolve();
  return {
    entries,
    append(...added) {
      // One after the other, so that lines never mix.
      last = last.catch(() => undefined).then(() => appendDurably(file, added.map(lineOf).join('')));
      return last;
    },
  };
}

/**
 * The entries of a journal that may be in use; none where there is no file.
 * @throws MetaapoError with code `data` when a line before the last one does not fit its checksum
 */
export async function readJournal(file: string): Promise<readonly JournalEntry[]> {
  return parseJournal(await textOf(file), file);
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}

async function appendDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'a');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parseJournal(text: string, file: string): JournalEntry[] {
  const lines = text.split('\n');
  const last = lines.length - 1;
  return lines.flatMap((line, index) => {
    const entry = parseLine(line);
    if (entry !== undefined) return [entry];
    // What a crash leaves: a cut line, or a whole one without its end, as the very last.
    if (index === last || (index === last - 1 && lines[last] === '')) return [];
    throw new MetaapoError('data', 'the line does not fit its checksum', {
      where: `${file}, line ${index + 1}`,
      remedy: 'Restore the file from a copy; what follows a changed line cannot be trusted',
    });
  });
}

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

function lineOf(entry: JournalEntry): string {
  const text = JSON.stringify(entry);
  return `${text.slice(0, -1)},"check":"${checksum(text)}"}\n`;
}

function parseLine(line: string): JournalEntry | undefined {
  const [, body, check] = /^(.*),"check":"([0-9a-f]{8})"}$/.exec(line) ?? [];
  const text = `${body}}`;
  return body === undefined || checksum(text) !== check ? undefined : (JSON.parse(text) as JournalEntry);
}
