import type { Stage } from '../../contracts/index.js';
import { type ByStage, entriesOfKind, type RunEntry, type RunJournal } from '../../journal/index.js';

/** Measures the stages of an iteration, which may overlap. */
export interface StageClock {
  /** Runs something that belongs to a stage. What runs at the same time for the same stage counts once. */
  time<Result>(stage: Stage, run: () => Promise<Result>): Promise<Result>;
  /** Seconds so far, those of earlier processes included. */
  seconds(): ByStage;
}

const SAVE_EVERY_MS = 10_000;

interface StageTime {
  running: number;
  since: number;
  seconds: number;
}

/**
 * Lends a clock whose seconds are journalled every 10 seconds and at the end, also when what it measures fails: a
 * resumed iteration goes on counting.
 * @param earlier entries of the iteration that the journal held
 */
export async function withStageClock<Result>(
  journal: RunJournal,
  iteration: number,
  earlier: readonly RunEntry[],
  use: (clock: StageClock) => Promise<Result>,
): Promise<Result> {
  const before = sumOf(earlier);
  const times = new Map<Stage, StageTime>();
  let saved: ByStage = {};
  const save = async (): Promise<void> => {
    const now = secondsOf(times);
    const added = minus(now, saved);
    saved = now;
    if (Object.keys(added).length > 0) await journal.append({ kind: 'seconds', iteration, seconds: added });
  };
  // A failure shows at the next entry of the journal.
  const timer = setInterval(() => void save().catch(() => undefined), SAVE_EVERY_MS);
  try {
    return await use({
      time: (stage, run) => timed(times, stage, run),
      seconds: () => plus(before, secondsOf(times)),
    });
  } finally {
    clearInterval(timer);
    await save();
  }
}

async function timed<Result>(times: Map<Stage, StageTime>, stage: Stage, run: () => Promise<Result>): Promise<Result> {
  const time = times.get(stage) ?? { running: 0, since: 0, seconds: 0 };
  times.set(stage, time);
  if (time.running++ === 0) time.since = performance.now();
  try {
    return await run();
  } finally {
    if (--time.running === 0) time.seconds += (performance.now() - time.since) / 1000;
  }
}

function secondsOf(times: ReadonlyMap<Stage, StageTime>): ByStage {
  const now = performance.now();
  return Object.fromEntries(
    [...times].map(([stage, { running, since, seconds }]) => [
      stage,
      seconds + (running > 0 ? (now - since) / 1000 : 0),
    ]),
  );
}

function sumOf(entries: readonly RunEntry[]): ByStage {
  return entriesOfKind(entries, 'seconds')
    .map(({ seconds }) => seconds)
    .reduce(plus, {});
}

const combine = (a: ByStage, b: ByStage, sign: 1 | -1): ByStage => {
  const stages = [...new Set([...Object.keys(a), ...Object.keys(b)])] as Stage[];
  return Object.fromEntries(stages.map((stage) => [stage, (a[stage] ?? 0) + sign * (b[stage] ?? 0)]));
};
const plus = (a: ByStage, b: ByStage): ByStage => combine(a, b, 1);
const minus = (a: ByStage, b: ByStage): ByStage => combine(a, b, -1);
