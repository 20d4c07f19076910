import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { MetaapoError } from '../contracts/index.js';
import { onPath } from './failed-path.js';
import { OVER, openHeld, renewFile } from './held-file.js';

/** The last line of a journal that is on the disk. */
export interface JournalEnd {
  /** Its number, which is that of the journal's lines. */
  readonly lines: number;
  readonly check: string;
}

const schema = z.object({ lines: z.int().min(1), check: z.string().regex(/^[0-9a-f]{8,16}$/) });

/** Bytes of the file, always: it is written over in place, by one call. */
const SIZE = 64;

const START = '{"lines":';

/** The file beside a journal that says where it ends. */
export const endFile = (journal: string): string => `${journal}.end`;

/**
 * What was noted of a journal; `undefined` where nothing was, or a crash left half of it.
 * @throws MetaapoError with code `data` when the file in its place is something else, which is not to be written over
 */
async function readEnd(journal: string): Promise<JournalEnd | undefined> {
  const file = endFile(journal);
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  try {
    return schema.parse(JSON.parse(content));
  } catch {
    if (START.startsWith(content.slice(0, START.length)) || content.startsWith('\0')) return undefined;
    throw new MetaapoError('data', 'there is a file of something else in the place of what says where a journal ends', {
      where: file,
      remedy: 'Move it away, or choose another output',
    });
  }
}

/** The same for the journal's new owner: who had it before writes to another file from now on. */
export async function openEnd(journal: string): Promise<JournalEnd | undefined> {
  await readEnd(journal);
  if (existsSync(endFile(journal))) await renewFile(endFile(journal));
  return readEnd(journal);
}

/** Notes where a journal ends, once its lines are on the disk: so what is noted is never more than what is there. */
export async function noteEnd(journal: string, end: JournalEnd): Promise<void> {
  const handle = await openHeld(endFile(journal), OVER);
  try {
    await handle.write(`${JSON.stringify(end).padEnd(SIZE - 1)}\n`, 0);
  } catch (error) {
    throw onPath(error, endFile(journal));
  } finally {
    await handle.close();
  }
}

/** Removes a journal with what was noted of its end. */
export async function removeJournal(journal: string): Promise<void> {
  await rm(endFile(journal), { force: true });
  await rm(journal, { force: true });
}
