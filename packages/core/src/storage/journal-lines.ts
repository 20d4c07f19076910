import { createHash } from 'node:crypto';
import type { JournalEntry } from './journal.js';

/** A line of a journal that holds: its event, and whether its checksum knows its number. */
export interface JournalLine {
  readonly entry: JournalEntry;
  readonly isNumbered: boolean;
  readonly check: string;
}

/** Why a line does not hold. */
export type LineFault = 'no line of a journal' | 'its checksum is another' | 'it does not follow the line before it';

const CHECK = /^,"check":"([0-9a-f]{8}|[0-9a-f]{16})"}$/;
const [NEW, OLD] = [',"check":"0123456789abcdef"}'.length, ',"check":"01234567"}'.length];

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** The checksum of a line: of itself, and of itself with its number. */
const checkOf = (content: string, number: number): string => digest(content) + digest(`${number} ${content}`);

/** The line of an event, with its end, and the checksum in it; the first of a journal has the number 1. */
export function writeLine(entry: JournalEntry, number: number): { readonly text: string; readonly check: string } {
  const content = JSON.stringify(entry);
  const check = checkOf(content, number);
  return { text: `${content.slice(0, -1)},"check":"${check}"}\n`, check };
}

/**
 * Reads the line of a number. Half of each checksum is of the number too, so that a line which was taken out, doubled or
 * moved is noticed. Lines of older journals lack that half.
 * @param isAfterNumbered true when the line before has that half: then this one has it
 */
export function readLine(line: string, number: number, isAfterNumbered: boolean): JournalLine | LineFault {
  const length = line.at(-NEW) === ',' ? NEW : OLD;
  const check = CHECK.exec(line.slice(-length))?.[1];
  if (check === undefined) return 'no line of a journal';
  const content = `${line.slice(0, -length)}}`;
  if (check.slice(0, 8) !== digest(content)) return 'its checksum is another';
  const isNumbered = length === NEW;
  const isNext = isNumbered ? check === checkOf(content, number) : !isAfterNumbered;
  if (!isNext) return 'it does not follow the line before it';
  const entry = parsed(content);
  return entry === undefined ? 'no line of a journal' : { entry, isNumbered, check };
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
