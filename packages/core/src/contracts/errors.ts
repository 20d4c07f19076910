import { withoutKeys } from './keys.js';
import { plainText } from './plain-text.js';

/** Marker that recognises an error of this project across duplicate copies of the package. */
const MARKER = Symbol.for('@metaapo/core:MetaapoError');

/** What a reader needs to mend a fault: where it is, what was expected, what was found, what to do. */
export interface Fault {
  /** File, row, key or part that is wrong. */
  readonly where: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What was found instead. Never holds a secret. */
  readonly got?: string;
  /** What the reader can do now. */
  readonly remedy?: string;
  /** The error underneath. */
  readonly cause?: unknown;
}

/** Kinds of failure. `input`-like codes end a command with exit code 2. */
export type ErrorCode =
  | 'config'
  | 'data'
  | 'checkpoint'
  | 'plugin'
  | 'network'
  | 'backend'
  | 'numerics'
  | 'interrupted'
  | 'internal';

/**
 * The one error class of the project. Its message is one paragraph:
 * `where: summary. Expected ...; got .... Remedy.` Whatever the fields hold, it is on one line, has an end, shows no
 * control character, and nothing that is known to be a key.
 */
export class MetaapoError extends Error {
  readonly code: ErrorCode;
  readonly fault: Fault;

  constructor(code: ErrorCode, summary: string, fault: Fault) {
    const shown = shownFault(fault);
    super(paragraph(shownField(summary), shown), fault.cause === undefined ? undefined : { cause: fault.cause });
    this.name = 'MetaapoError';
    this.code = code;
    this.fault = shown;
    Object.defineProperty(this, MARKER, { value: true });
  }
}

/** True for a {@link MetaapoError} of any copy of this package. */
export function isMetaapoError(error: unknown): error is MetaapoError {
  return typeof error === 'object' && error !== null && MARKER in error;
}

/** Most characters of a field in a message; of what was found, which is whatever somebody sent, fewer. */
const MOST = 800;
const MOST_GOT = 300;

function shownField(text: string, most = MOST): string {
  return plainText(withoutKeys(text.replace(/[\r\n]\s*/g, ' ')), most);
}

function shownFault({ where, expected, got, remedy, cause }: Fault): Fault {
  return {
    where: shownField(where),
    ...(expected !== undefined && { expected: shownField(expected) }),
    ...(got !== undefined && { got: shownField(got, MOST_GOT) }),
    ...(remedy !== undefined && { remedy: shownField(remedy) }),
    ...(cause !== undefined && { cause }),
  };
}

function paragraph(summary: string, fault: Fault): string {
  const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
  const comparison = [fault.expected && `expected ${fault.expected}`, fault.got && `got ${fault.got}`]
    .filter(Boolean)
    .join('; ');
  return [
    `${fault.where}: ${sentence(summary)}`,
    comparison && sentence(comparison[0]!.toUpperCase() + comparison.slice(1)),
    fault.remedy && sentence(fault.remedy),
  ]
    .filter(Boolean)
    .join(' ');
}
