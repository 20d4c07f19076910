import type { Metrics, Tracker } from '@metaapo/core/contracts';
import { ConformanceError, thrownMessage } from '../conformance-error.js';

type Entry = readonly [step: number, metrics: Metrics];

/**
 * Passes when a tracker takes step after step, one step twice (training and evaluation), and closes. Closes the tracker.
 * @throws ConformanceError that names the call
 */
export async function checkTrackerSteps(tracker: Tracker): Promise<void> {
  await logAndClose(tracker, [
    [1, { loss: 0.69, 'rewards/margins': -0.25 }],
    [2, { loss: 0.5 }],
    [2, { 'evaluation/loss': 0.6 }],
    [100_000, { loss: 0, 'learning-rate': 1e-7 }],
    [100_001, {}],
  ]);
}

/**
 * Passes when a tracker takes two hundred metrics at once, new ones after the first step included. Closes the tracker.
 * @throws ConformanceError that names the call
 */
export async function checkTrackerManyMetrics(tracker: Tracker): Promise<void> {
  const many = (count: number): Metrics =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`group-${at % 5}/metric ${at}`, at / 7]));
  await logAndClose(tracker, [
    [1, many(200)],
    [2, many(201)],
    [3, many(1)],
  ]);
}

/**
 * Passes when a tracker does not throw on NaN and infinities: a run that diverges is still recorded. Closes the tracker.
 * @throws ConformanceError that names the value
 */
export async function checkTrackerNonFinite(tracker: Tracker): Promise<void> {
  await logAndClose(tracker, [
    [1, { loss: Number.NaN }],
    [2, { loss: Number.POSITIVE_INFINITY }],
    [3, { loss: Number.NEGATIVE_INFINITY, 'gradient-norm': Number.MAX_VALUE }],
  ]);
}

/**
 * Passes when a tracker closes that never logged, as of a run that fails at once. Closes the tracker.
 * @throws ConformanceError when closing fails
 */
export async function checkTrackerNothingLogged(tracker: Tracker): Promise<void> {
  await logAndClose(tracker, []);
}

/**
 * Passes when a tracker takes every event of a run that it hears: its begin, stages, steps, evaluations, warnings, checks of
 * servers and summaries. Closes the tracker.
 * @throws ConformanceError that names the event
 */
export async function checkTrackerEvents(tracker: Tracker): Promise<void> {
  for (const [event, tell] of Object.entries(EVENTS)) await attempt(tracker, event, () => tell(tracker));
  await logAndClose(tracker, [[1, { loss: 0.5 }]]);
}

const EVENTS: Readonly<Record<string, (tracker: Tracker) => void | Promise<void>>> = {
  begin: (tracker) => tracker.begin?.({ directory: 'runs/of-a-test' }),
  iteration: (tracker) => tracker.iteration?.(0, 8),
  stage: (tracker) => tracker.stage?.('sample', 0, 8),
  'stage without rows': (tracker) => tracker.stage?.('sample', 0, 0),
  served: (tracker) => tracker.served?.({ difference: 0.01, bound: 0.1 }),
  step: (tracker) =>
    tracker.step?.({ step: 1, metrics: { loss: 0.5, num_tokens: 10, 'time/step_s': 0.1 }, rows: [0, 1] }, 4),
  warning: (tracker) => tracker.warning?.('look at this'),
  evaluation: (tracker) => tracker.evaluation?.(1, 2),
  evaluated: (tracker) => tracker.evaluated?.(1, { eval_loss: 0.5 }),
  summary: (tracker) =>
    tracker.summary?.({
      iteration: 0,
      rows: 8,
      selected: 4,
      steps: 1,
      annotations: { done: 16, ofAll: 32 },
      pairs: { pairs: 4 },
      rewards: {},
      seconds: { sample: 1 },
      tokens: {},
    }),
};

async function logAndClose(tracker: Tracker, entries: readonly Entry[]): Promise<void> {
  try {
    for (const [step, metrics] of entries) await log(tracker, step, metrics);
  } catch (thrown) {
    await Promise.resolve(tracker.close()).catch(() => undefined);
    throw thrown;
  }
  await attempt(tracker, `close after ${entries.length} steps`, () => tracker.close());
}

async function log(tracker: Tracker, step: number, metrics: Metrics): Promise<void> {
  const kept = { ...metrics };
  const entries = Object.entries(metrics);
  const few = entries.slice(0, 2).map(([name, value]) => `${name} ${value}`);
  const shown = entries.length > few.length ? `${entries.length} metrics` : few.join(', ') || 'no metrics';
  await attempt(tracker, `log(${step}, ${shown})`, () => tracker.log(step, metrics));
  const names = [...new Set([...Object.keys(kept), ...Object.keys(metrics)])];
  if (names.every((name) => Object.is(kept[name], metrics[name]))) return;
  throw new ConformanceError(trackerName(tracker), 'log changes the metrics, which others read too');
}

async function attempt(tracker: Tracker, call: string, act: () => void | Promise<void>): Promise<void> {
  try {
    await act();
  } catch (thrown) {
    throw new ConformanceError(trackerName(tracker), `${call} throws ${thrownMessage(thrown)}`, thrown);
  }
}

function trackerName(tracker: Tracker): string {
  return `tracker ${tracker.id}`;
}
