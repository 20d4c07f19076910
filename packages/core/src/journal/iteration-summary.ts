import { z } from 'zod';
import type { Stage } from '../contracts/index.js';

/** A list of finite numbers; JSON writes one that is not finite as null. */
export const numbers = z.array(z.number());

/** A number that was measured and may be none: JSON writes NaN as null. */
export const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** A whole number of things. */
export const count = z.int().nonnegative();

/** The same data, never to be changed. */
export type Unchanging<Data> = Data extends readonly (infer Item)[]
  ? readonly Unchanging<Item>[]
  : Data extends object
    ? { readonly [Key in keyof Data]: Unchanging<Data[Key]> }
    : Data;

/** Stages of an iteration, in order. */
export const STAGES = [
  'reference',
  'score',
  'select',
  'sample',
  'reward',
  'kl',
  'pair',
  'train',
  'evaluate',
] as const satisfies readonly Stage[];

/** A number by stage. */
export const byStage = z.partialRecord(z.enum(STAGES), z.number());

/** Seconds, or tokens, by stage. */
export type ByStage = Unchanging<z.output<typeof byStage>>;

/** Why a selected row has no pair. */
export const noPairReason = z.enum(['too-few', 'tie', 'duplicates', 'not-better']);

/** Counted so that nothing is lost in silence. */
export const pairCounts = z.object({
  /** Online pairs. */
  pairs: count,
  responses: count,
  /** Responses cut at the limit; kept without an end-of-sequence token, or left out. */
  truncated: count,
  /** Responses without text, left out. */
  empty: count,
  /** Responses whose reward could not be read, left out. */
  unreadable: count,
  /** Comparisons of two responses that could not be read, left out of their rewards. */
  unreadableComparisons: count,
  /** Selected rows without a pair, by reason. */
  tie: count,
  duplicates: count,
  'too-few': count,
  'not-better': count,
});

/** Counts of what became of responses and rows. */
export type PairCounts = Unchanging<z.output<typeof pairCounts>>;

/** How far the policy is from the reference, estimated on responses that it wrote. */
export const klEstimate = z.object({
  /** Mean of log p(response) - log r(response): nats a response. */
  perResponse: measured,
  /** The same, nats a token. */
  perToken: measured,
  /** Number of responses that were looked at. */
  responses: count,
});

/** An estimate of KL(policy || reference). */
export type KlEstimate = Unchanging<z.output<typeof klEstimate>>;

const textWithReward = z.object({ text: z.string(), reward: measured });

/** An online pair as people read it. */
export const onlinePairText = z.object({ chosen: textWithReward, rejected: textWithReward });

/** Texts of an online pair, with their rewards. */
export type OnlinePairText = Unchanging<z.output<typeof onlinePairText>>;

/** What became of a row: an online pair, responses that are trained as they are, none, or why they made no pair. */
export const rowFate = z.enum(['pair', 'sampled', 'unselected', ...noPairReason.options]);

/** What became of a row. */
export type RowFate = z.output<typeof rowFate>;

/** A row with its offline pair and what was sampled. */
export const rowSample = z.object({
  row: count,
  fate: rowFate,
  /** The prompt as text; the rendered conversation where the row has one. */
  prompt: z.string(),
  /** The conversation, where the row has one. */
  messages: z.array(z.object({ role: z.string(), content: z.string() })).optional(),
  /** Texts of the row's offline pair. */
  offline: z.object({ chosen: z.string(), rejected: z.string() }).optional(),
  online: onlinePairText.optional(),
  /** All responses of a selected row that made no pair; a reward that could not be read is absent. */
  responses: z.array(z.object({ text: z.string(), reward: z.number().optional() })).optional(),
  /** Preference score s of the offline pair when the row was selected or not; absent where rows were not scored. */
  score: measured.optional(),
  /** Weight w of the offline pair then. */
  weight: measured.optional(),
});

/** A row as people read it. */
export type RowSample = Unchanging<z.output<typeof rowSample>>;

/** What an iteration did, for journals and reports. */
export const iterationSummary = z.object({
  iteration: count,
  /** Rows of the slice. */
  rows: count,
  /** Rows that got new responses. */
  selected: count,
  /** Optimizer steps. */
  steps: count,
  annotations: z.object({
    /** Rewards of the run's own reward model, and how many online DPO would have asked for. */
    done: count,
    ofAll: count,
    /** Rewards of selected rows that the annotation rule spared; absent: none. */
    spared: count.optional(),
    /** Rewards of the annotation rule's own scorers; absent: none. */
    otherwise: count.optional(),
  }),
  pairs: pairCounts,
  /** Mean reward of chosen and rejected online responses, and of all responses. */
  rewards: z.object({ chosen: measured.optional(), rejected: measured.optional(), all: measured.optional() }),
  /** Responses that the reference wrote, and their mean reward; absent where it was not asked. */
  fromReference: z.object({ responses: count, reward: measured.optional() }).optional(),
  /** Mean reward of new responses to held-out prompts after the iteration. */
  heldOutReward: measured.optional(),
  /** Distance of the policy from the reference when the iteration began; absent without a reference or new responses. */
  kl: klEstimate.optional(),
  /** Counts of the weights w in ten equal bins of [0, 1]; none where the selection rule spared the scores. */
  weightHistogram: z.array(count),
  /** Weight h(s) before and after the iteration at scores from -10 to 10. */
  curve: z.object({ scores: numbers, before: z.array(measured), after: z.array(measured) }),
  /** A few rows of the slice as people read them: with an online pair, without one, and not selected. */
  samples: z.array(rowSample),
  /** Seconds by stage, of all processes that worked on it; stages may overlap. */
  seconds: byStage,
  /** Tokens by stage. */
  tokens: byStage,
});

/** What an iteration did. */
export type IterationSummary = Unchanging<z.output<typeof iterationSummary>>;
