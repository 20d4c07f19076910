/** Scalars by name, e.g. `rewards/margins`. */
export type Metrics = Readonly<Record<string, number>>;

/** Receives the metrics of a run. */
export interface Tracker {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Metrics of an optimizer step, or of an evaluation after it. */
  log(step: number, metrics: Metrics): void | Promise<void>;
  /** Flushes; called once, also when the run fails. */
  close(): void | Promise<void>;
}
