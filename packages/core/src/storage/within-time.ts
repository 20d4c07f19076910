import { createContext, Script } from 'node:vm';
import { MetaapoError } from '../contracts/index.js';

const call = new Script('work()');
const room: { work?: () => unknown } = {};
const context = createContext(room);

/** What is said of a computation that takes too long. */
export interface TimeLimit {
  readonly where: string;
  /** What runs: `the chat template`. */
  readonly what: string;
  /** Default 10 000. */
  readonly limitMs?: number | undefined;
}

/**
 * The result of a computation that others wrote (a template, a regular expression), which may never end. A watch outside
 * of this thread ends it when its time is over, or at Ctrl-C. It has to be synchronous and must leave nothing half done.
 * @throws MetaapoError with code `checkpoint` when it takes too long, `interrupted` at Ctrl-C; whatever it throws
 */
export function withinTime<Result>(work: () => Result, { where, what, limitMs = 10_000 }: TimeLimit): Result {
  // One inside another has the time of the outer one.
  if (room.work !== undefined) return work();
  room.work = work;
  try {
    return call.runInContext(context, { timeout: limitMs, breakOnSigint: true }) as Result;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException | undefined)?.code;
    if (code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') {
      throw new MetaapoError('interrupted', `stopped while ${what} was running`, { where, cause });
    }
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
    throw new MetaapoError('checkpoint', `${what} takes too long`, {
      where,
      expected: `an end within ${limitMs / 1000} s`,
      remedy: 'Look for a loop in it, or for a row of unusual length',
      cause,
    });
  } finally {
    delete room.work;
  }
}
