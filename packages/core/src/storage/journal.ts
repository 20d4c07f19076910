import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { MetaapoError } from '../contracts/index.js';
import { onPath } from './failed-path.js';
import { openHeld, renewFile } from './held-file.js';
import { endFile, type JournalEnd, noteEnd, openEnd } from './journal-end.js';
import { type LineFault, readLine, writeLine } from './journal-lines.js';
import { linesOf } from './lines-of.js';
import { syncName } from './synced.js';

/** One event of a run: its kind, and whatever belongs to it. */
export interface JournalEntry {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** An append-only file of events; every line carries a checksum of itself and of its number. */
export interface Journal {
  /** What was asked for of what the file held when it was opened. */
  readonly entries: readonly JournalEntry[];
  /** Adds events, durable once the promise is fulfilled; when it is not, none of them is in the file. */
  append(...entries: readonly JournalEntry[]): Promise<void>;
}

/**
 * Opens a journal, or begins one. What a crash left of a last line is cut off; nothing else that is in the file is ever
 * changed. Beside it, `FILE.end` says which line was the last that is on the disk. Both become files of their own, which a
 * process that had the journal before and was stopped in the middle of a write cannot reach.
 * @param isWanted entries that are kept in memory; default all
 * @throws MetaapoError with code `data` when a line before the last one does not fit its checksum, lines were taken out,
 * doubled or moved, or are missing at the end
 */
export async function openJournal(
  file: string,
  isWanted: (entry: JournalEntry) => boolean = () => true,
): Promise<Journal> {
  const end = await openEnd(file);
  if (existsSync(file) && (await isBegun(file))) await renewFile(file);
  const { entries, ...found } = await scan(file, isWanted, end);
  let { goodBytes, lines, isCut } = found;
  let last: Promise<void> = Promise.resolve();
  let next: { readonly entries: JournalEntry[]; readonly written: Promise<void> } | undefined;
  const repair = async (): Promise<void> => {
    if (isCut) await cutOff(file, goodBytes);
    isCut = false;
  };
  const add = async (added: readonly JournalEntry[]): Promise<void> => {
    await repair();
    const written = added.map((entry, index) => writeLine(entry, lines + index + 1));
    const bytes = Buffer.from(written.map(({ text }) => text).join(''));
    isCut = true;
    await appendDurably(file, bytes);
    [goodBytes, lines, isCut] = [goodBytes + bytes.length, lines + added.length, false];
    const check = written.at(-1)?.check;
    if (check !== undefined) await noteEnd(file, { lines, check });
  };
  await repair();
  return {
    entries,
    append(...added) {
      // One write after the other, so that lines never mix; what comes meanwhile shares the next one.
      if (next === undefined) {
        const entries: JournalEntry[] = [];
        const written = last
          .catch(() => undefined)
          .then(() => {
            next = undefined;
            return add(entries);
          });
        next = { entries, written };
        last = written;
      }
      next.entries.push(...added);
      return next.written;
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
  /** Number of whole lines. */
  readonly lines: number;
  /** True when something follows it. */
  readonly isCut: boolean;
}

async function scan(
  file: string,
  isWanted: (entry: JournalEntry) => boolean,
  end: JournalEnd | undefined = undefined,
): Promise<Scan> {
  const entries: JournalEntry[] = [];
  let [number, goodBytes, isNumbered] = [0, 0, false];
  let fault: LineFault | undefined;
  for await (const { text, end: at, isWhole } of linesOf(file)) {
    // Only the last line may be one that a crash cut.
    if (fault !== undefined) throw damaged(file, number, fault);
    number += 1;
    const line = isWhole ? readLine(text, number, isNumbered) : 'no line of a journal';
    // A crash cuts a line short; it brings none that is whole and from elsewhere.
    if (line === 'it does not follow the line before it') throw damaged(file, number, line);
    if (typeof line === 'string') {
      fault = line;
      continue;
    }
    if (number === end?.lines && line.check !== end.check) throw cutShort(file, end, 'another line in its place');
    [goodBytes, isNumbered] = [at, line.isNumbered];
    if (isWanted(line.entry)) entries.push(line.entry);
  }
  if (fault !== undefined && goodBytes === 0 && !(await isBegun(file))) throw damaged(file, 1, fault);
  const lines = fault === undefined ? number : number - 1;
  if (end !== undefined && lines < end.lines) throw cutShort(file, end, `${lines} whole lines`);
  return { entries, goodBytes, lines, isCut: fault !== undefined };
}

/** True for what a crash leaves of a first line; a file of anything else is not ours to cut. */
async function isBegun(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(START.length), 0, START.length, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    return START.startsWith(text) || text.startsWith('\0');
  } finally {
    await handle.close();
  }
}

const START = '{"kind":"';

function damaged(file: string, line: number, got: LineFault): MetaapoError {
  return new MetaapoError('data', 'the line does not fit its checksum', {
    where: `${file}, line ${line}`,
    expected: 'the lines as they were written, in their order',
    got,
    remedy: `Restore the file from a copy; without one, cut it off before this line and delete ${endFile(basename(file))}: what the lines after it paid for (responses, rewards) is then paid for again`,
  });
}

function cutShort(file: string, { lines }: JournalEnd, got: string): MetaapoError {
  return new MetaapoError('data', 'lines are missing at the end of the journal', {
    where: file,
    expected: `the line ${lines} that was the last one when it was written`,
    got,
    remedy: `Restore the file from a copy; without one, delete ${endFile(basename(file))}: what the missing lines paid for (responses, rewards) is then paid for again`,
  });
}

async function cutOff(file: string, bytes: number): Promise<void> {
  const handle = await openHeld(file, 'r+');
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}

async function appendDurably(file: string, bytes: Uint8Array): Promise<void> {
  const isNew = !existsSync(file);
  const handle = await openHeld(file, 'a');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    throw onPath(error, file);
  } finally {
    await handle.close();
  }
  if (isNew) await syncName(file);
}
