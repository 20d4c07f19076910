import { createHash } from 'node:crypto';
import { open, truncate } from 'node:fs/promises';
import { MetaapoError } from '../contracts/index.js';
import { linesOf } from './lines-of.js';

/** One event of a run: its kind, and whatever belongs to it. */
export interface JournalEntry {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** An append-only file of events; every line carries a checksum of itself. */
export interface Journal {
  /** What was asked for of what the file held when it was opened. */
  readonly entries: readonly JournalEntry[];
  /** Adds events, durable once the promise is fulfilled. */
  append(...entries: readonly JournalEntry[]): Promise<void>;
}

/**
 * Opens a journal, or begins one. What a crash left of a last line is cut off; nothing else that is in the file is ever
 * changed.
 * @param isWanted entries that are kept in memory; default all
 * @throws MetaapoError with code `data` when a line before the last one does not fit its checksum
 */
export async function openJournal(
  file: string,
  isWanted: (entry: JournalEntry) => boolean = () => true,
): Promise<Journal> {
  const { entries, goodBytes, isCut } = await scan(file, isWanted);
  if (isCut) await truncate(file, goodBytes);
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
 * The wanted entries of a journal that may be in use, oldest first; none where there is no file. The others pass by
 * without staying in memory.
 * @throws MetaapoError with code `data` when a line before the last one does not fit its checksum
 */
export async function readJournal(
  file: string,
  isWanted: (entry: JournalEntry) => boolean = () => true,
): Promise<readonly JournalEntry[]> {
  return (await scan(file, isWanted)).entries;
}

interface Scan {
  readonly entries: readonly JournalEntry[];
  /** Bytes up to the end of the last whole line. */
  readonly goodBytes: number;
  /** True when something follows them. */
  readonly isCut: boolean;
}

async function scan(file: string, isWanted: (entry: JournalEntry) => boolean): Promise<Scan> {
  const entries: JournalEntry[] = [];
  let [number, goodBytes] = [0, 0];
  let isCut = false;
  for await (const { text, end, isWhole } of linesOf(file)) {
    // Only the last line may be one that a crash cut.
    if (isCut) throw damaged(file, number);
    number += 1;
    const entry = isWhole ? parseLine(text) : undefined;
    isCut = entry === undefined;
    if (entry === undefined) continue;
    goodBytes = end;
    if (isWanted(entry)) entries.push(entry);
  }
  return { entries, goodBytes, isCut };
}

function damaged(file: string, line: number): MetaapoError {
  return new MetaapoError('data', 'the line does not fit its checksum', {
    where: `${file}, line ${line}`,
    remedy: 'Restore the file from a copy; what follows a changed line cannot be trusted',
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

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

function lineOf(entry: JournalEntry): string {
  const text = JSON.stringify(entry);
  return `${text.slice(0, -1)},"check":"${checksum(text)}"}\n`;
}

const CHECK_LENGTH = ',"check":"01234567"}'.length;

function parseLine(line: string): JournalEntry | undefined {
  const check = /^,"check":"([0-9a-f]{8})"}$/.exec(line.slice(-CHECK_LENGTH))?.[1];
  const text = `${line.slice(0, -CHECK_LENGTH)}}`;
  return check === undefined || checksum(text) !== check ? undefined : (JSON.parse(text) as JournalEntry);
}
