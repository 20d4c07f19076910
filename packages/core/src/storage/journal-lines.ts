import { createHash } from 'node:crypto';
import type { JournalEntry } from './journal.js';

/** A line of a journal that holds: its event, and what the next line's checksum builds on. */
export interface JournalLine {
  readonly entry: JournalEntry;
  readonly check: string;
}

/** Why a line does not hold. */
export type LineFault = 'no line of a journal' | 'its checksum is another' | 'it does not follow the line before it';

const CHECK = /^,"check":"([0-9a-f]{8}|[0-9a-f]{16})"}$/;
const [NEW, OLD] = [',"check":"0123456789abcdef"}'.length, ',"check":"01234567"}'.length];

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** The checksum of a line: of itself, and of itself after the checksum of the line before it. */
const checkOf = (content: string, before: string): string => digest(content) + digest(before + content);

/** The line of an event that follows a line with the checksum `before`; empty at the beginning. */
export function writeLine(entry: JournalEntry, before: string): { readonly text: string; readonly check: string } {
  const content = JSON.stringify(entry);
  const check = checkOf(content, before);
  return { text: `${content.slice(0, -1)},"check":"${check}"}\n`, check };
}

/**
 * Reads a line that follows one with the checksum `before`. Half of each checksum builds on the one before it, so that a
 * line which was taken out, doubled or moved is noticed. Lines of older journals lack that half; none may follow one
 * that has it.
 */
export function readLine(line: string, before: string): JournalLine | LineFault {
  const length = line.at(-NEW) === ',' ? NEW : OLD;
  const check = CHECK.exec(line.slice(-length))?.[1];
  if (check === undefined) return 'no line of a journal';
  const content = `${line.slice(0, -length)}}`;
  if (check.slice(0, 8) !== digest(content)) return 'its checksum is another';
  const isNext = length === NEW ? check === checkOf(content, before) : before.length !== 16;
  if (!isNext) return 'it does not follow the line before it';
  const entry = parsed(content);
  return entry === undefined ? 'no line of a journal' : { entry, check };
}

function parsed(content: string): JournalEntry | undefined {
  try {
    const value: unknown = JSON.parse(content);
    const isEntry = typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
    return isEntry ? (value as JournalEntry) : undefined;
  } catch {
    return undefined;
  }
}
