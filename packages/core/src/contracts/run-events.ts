import type { Metrics } from './tracker.js';

/**
 * A stage of an iteration, in order: the reference's log-probabilities of the offline pairs, the policy's scores, the
 * selection, responses and their rewards (these two overlap), the policy's distance from the reference, the reference's
 * log-probabilities of the online pairs, training, and the reward of held-out prompts.
 */
export type Stage = 'reference' | 'score' | 'select' | 'sample' | 'reward' | 'kl' | 'pair' | 'train' | 'evaluate';

/** What one optimizer step did. */
export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  readonly metrics: Metrics;
  /** Data set numbers of the rows, in the order of the batch. */
  readonly rows: readonly number[];
  /** Weights w of these rows, where a meta-learner weighs them. */
  readonly weights?: Float32Array | undefined;
}

/** How far servers are from the policy that they are to serve, in nats a token. */
export interface ServingCheck {
  /** Mean |log q(token) - log p(token)| over the tokens of the probes, of the server that is farthest off. */
  readonly difference: number;
  /** What it has to stay within. */
  readonly bound: number;
}

/** What an iteration did; the run's journal holds more of it. */
export interface IterationReport {
  readonly iteration: number;
  /** Rows of the iteration, those of them that got new responses, and optimizer steps. */
  readonly rows: number;
  readonly selected: number;
  readonly steps: number;
  /** Responses that were scored, and how many online DPO would have scored. */
  readonly annotations: { readonly done: number; readonly ofAll: number };
  /** Online pairs that were made. */
  readonly pairs: { readonly pairs: number };
  /** Mean rewards; absent where there is none. */
  readonly rewards: {
    readonly chosen?: number | undefined;
    readonly rejected?: number | undefined;
    readonly all?: number | undefined;
  };
  readonly heldOutReward?: number | undefined;
  /** Seconds and tokens by stage; stages may overlap. */
  readonly seconds: Partial<Readonly<Record<Stage, number>>>;
  readonly tokens: Partial<Readonly<Record<Stage, number>>>;
}

/** What a run tells those who watch it, as it happens. Whoever does not care for an event leaves it out. */
export interface RunEvents {
  /** The run begins, or goes on, in this directory. */
  begin?(run: { readonly directory: string }): void | Promise<void>;
  iteration?(iteration: number, rows: number): void;
  /** `done` of `total` rows of a stage; its first call says how many were done before it began. */
  stage?(stage: Stage, done: number, total: number): void;
  /** The sampler's servers were found to serve the policy as it is now. */
  served?(check: ServingCheck): void;
  /** An optimizer step is done, of `total`. */
  step?(report: StepReport, total: number): void;
  /** Something that the user should look at; the run goes on. */
  warning?(text: string): void;
  /** Rows of an evaluation that are done; in fine-tuning responses. */
  evaluation?(rows: number, total: number): void;
  /** An evaluation is done, after so many steps. */
  evaluated?(step: number, metrics: Metrics): void;
  /** An iteration is done. */
  summary?(report: IterationReport): void;
  /** Metrics of an optimizer step, of an evaluation after it, or of an iteration. */
  log?(step: number, metrics: Metrics): void | Promise<void>;
}
