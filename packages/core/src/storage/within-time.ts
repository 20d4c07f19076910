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
  /** What is at fault: a file of a model (`checkpoint`, the default), or what a recipe says. */
  readonly code?: 'checkpoint' | 'config' | undefined;
  /** Default: to look for a loop, or a long row. */
  readonly remedy?: string | undefined;
}

/** How often a computation is begun anew in a process that stands still again and again, each time with twice the time. */
const MOST_TRIES = 8;

/**
 * The result of a computation that others wrote (a template, a regular expression), which may never end. A watch outside
 * of this thread ends it when its time is over, or at Ctrl-C. It has to be synchronous and must leave nothing half done:
 * where the process did not compute meanwhile, as one that was stopped or a machine that slept, it is begun anew.
 * @throws MetaapoError with the code of the limit when it takes too long, `interrupted` at Ctrl-C; whatever it throws
 */
export function withinTime<Result>(work: () => Result, limit: TimeLimit): Result {
  // One inside another has the time of the outer one.
  if (room.work !== undefined) return work();
  room.work = work;
  try {
    const before = process.cpuUsage();
    for (let tries = 1; ; tries++) {
      try {
        const timeout = limitOf(limit) * 2 ** (tries - 1);
        return call.runInContext(context, { timeout, breakOnSigint: true }) as Result;
      } catch (cause) {
        if (codeOf(cause) === TIMEOUT && tries < MOST_TRIES && hasStoodStill(before, limit)) continue;
        throw explained(cause, limit);
      }
    }
  } finally {
    delete room.work;
  }
}

/**
 * What a computation gives of each item, under one watch: to begin one takes as long as rendering a conversation. Where all of
 * them together take too long, each is computed anew, under the watch that it has of its own.
 * @param compute may call {@link withinTime}
 * @param limit of all of them, by default 2000
 * @throws MetaapoError with code `interrupted` at Ctrl-C; whatever it throws
 */
export function mapWithinTime<Item, Result>(
  items: readonly Item[],
  compute: (item: Item) => Result,
  limit: Pick<TimeLimit, 'where' | 'what' | 'limitMs'>,
): readonly Result[] {
  try {
    return withinTime(() => items.map(compute), { limitMs: 2_000, ...limit });
  } catch (error) {
    if (codeOf((error as Error | undefined)?.cause) !== TIMEOUT) throw error;
    return items.map(compute);
  }
}

const TIMEOUT = 'ERR_SCRIPT_EXECUTION_TIMEOUT';

const limitOf = ({ limitMs = 10_000 }: TimeLimit): number => limitMs;

const codeOf = (cause: unknown): string | undefined => (cause as NodeJS.ErrnoException | undefined)?.code;

/** True where the process has computed for less than half of the time. */
function hasStoodStill(before: NodeJS.CpuUsage, limit: TimeLimit): boolean {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 < limitOf(limit) / 2;
}

function explained(cause: unknown, limit: TimeLimit): unknown {
  const { where, what, code = 'checkpoint', remedy = 'Look for a loop in it, or for a row of unusual length' } = limit;
  if (codeOf(cause) === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') {
    return new MetaapoError('interrupted', `stopped while ${what} was running`, { where, cause });
  }
  if (codeOf(cause) !== TIMEOUT) return cause;
  return new MetaapoError(code, `${what} takes too long`, {
    where,
    expected: `an end within ${limitOf(limit) / 1000} s`,
    remedy,
    cause,
  });
}
