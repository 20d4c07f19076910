import type { RunEvents } from './run-events.js';

/** Scalars by name, e.g. `rewards/margins`. */
export type Metrics = Readonly<Record<string, number>>;

/** Watches a run: receives its metrics, and hears of it whatever else it wants to. The terminal's progress is one. */
export interface Tracker extends RunEvents {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  log(step: number, metrics: Metrics): void | Promise<void>;
  /** Flushes; called once, also when the run fails. */
  close(): void | Promise<void>;
}

/** One that hears all events and passes them on to each of several, in their order. */
export function watchedBy(watchers: readonly RunEvents[]): RunEvents {
  const eachInTurn = async (tell: (watcher: RunEvents) => void | Promise<void>): Promise<void> => {
    for (const watcher of watchers) await tell(watcher);
  };
  const each = (tell: (watcher: RunEvents) => void): void => watchers.forEach(tell);
  return {
    begin: (run) => eachInTurn((watcher) => watcher.begin?.(run)),
    iteration: (...told) => each((watcher) => watcher.iteration?.(...told)),
    stage: (...told) => each((watcher) => watcher.stage?.(...told)),
    served: (check) => each((watcher) => watcher.served?.(check)),
    step: (...told) => each((watcher) => watcher.step?.(...told)),
    warning: (text) => each((watcher) => watcher.warning?.(text)),
    evaluation: (...told) => each((watcher) => watcher.evaluation?.(...told)),
    evaluated: (...told) => each((watcher) => watcher.evaluated?.(...told)),
    summary: (report) => each((watcher) => watcher.summary?.(report)),
    log: (step, metrics) => eachInTurn((watcher) => watcher.log?.(step, metrics)),
  };
}
