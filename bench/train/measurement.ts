/** What one side of a bench reports: a line of JSON at the end of its output. */
export interface Measurement {
  /** Seconds of each timed step. */
  readonly seconds: readonly number[];
  /** Seconds from the process' start to the end of the first, untimed step. */
  readonly startup: number;
  /** Processor seconds of all threads until then. */
  readonly startupWork: number;
  /** Largest resident set of the process, in bytes. */
  readonly peakBytes: number;
  /** Loss of the last step, to see that both do the same work. */
  readonly loss: number;
  readonly gradNorm: number;
  /** Computations that XLA compiled, where it did, and the seconds of the runs in which it did. */
  readonly compilations?: number;
  readonly compilingSeconds?: number;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The least value: on a shared machine, the one that the least other work was added to. */
export function fastest(seconds: readonly number[]): number {
  return Math.min(...seconds);
}

/** One measurement of several rounds: all their times, the quickest start and the highest peak; the rest of the last one. */
export function mergeRounds<Side extends Pick<Measurement, 'seconds' | 'startup' | 'peakBytes'>>(
  rounds: readonly Side[],
): Side {
  return {
    ...rounds.at(-1)!,
    seconds: rounds.flatMap(({ seconds }) => seconds),
    startup: fastest(rounds.map(({ startup }) => startup)),
    peakBytes: Math.max(...rounds.map(({ peakBytes }) => peakBytes)),
  };
}
