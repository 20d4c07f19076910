import { z } from 'zod';
import {
  byStage,
  count,
  iterationSummary,
  measured,
  noPairReason,
  numbers,
  type Unchanging,
} from './iteration-summary.js';

/** What a run was started with: hashes and names that have to be the same when it is resumed. */
export const runKey = z.object({
  recipe: z.string(),
  data: z.string(),
  /** Fingerprint of the policy that it starts from. */
  policy: z.string(),
  /** Backend and precision, which decide last bits. */
  computedBy: z.string(),
  /** What else decides numbers: digests, by what each is called in messages. */
  inputs: z.record(z.string(), z.string()).optional(),
});

/** Key of a run. */
export type RunKey = Unchanging<z.output<typeof runKey>>;

/** A sampled response as it is journalled. */
export const journalledResponse = z.object({
  text: z.string(),
  tokens: numbers,
  finishReason: z.enum(['stop', 'length']),
  /** Log-probabilities of the tokens where the sampler gave them; NaN for an end that was not drawn. */
  logprobs: z.array(measured).optional(),
});

/** What an iteration found about a row that it selected. */
export const rowOutcome = z.object({
  row: count,
  promptTokens: count,
  chosenTokens: count,
  rejectedTokens: count,
  margin: z.number().optional(),
  score: measured.optional(),
  reward: z.number().optional(),
  spread: z.number().optional(),
  pairs: count,
  reason: noPairReason.optional(),
});

const entry = <Kind extends string, Shape extends z.core.$ZodShape>(kind: Kind, shape: Shape) =>
  z.object({ kind: z.literal(kind), ...shape });

/** All that a run or a training writes into its journal. */
export const runEntry = z.discriminatedUnion('kind', [
  /** The first entry of a run: what it was started with. */
  entry('start', { key: runKey }),
  /** What it is resumed with, where that is something else; with other data the iteration under way begins anew. */
  entry('changed', { key: runKey, isOtherData: z.boolean() }),
  /** Which reward model gives the rewards that follow. */
  entry('reward-model', { fingerprint: z.string() }),
  /** Mean reward of held-out prompts before the first iteration; absent where none was wanted or could be read. */
  entry('baseline', { heldOutReward: z.number().nullish() }),
  /** `[rows of the slice]` preference scores s, and mean entropies of both responses where the meta-learner reads them. */
  entry('scores', {
    iteration: count,
    scores: z.array(measured),
    chosenEntropy: z.array(measured).optional(),
    rejectedEntropy: z.array(measured).optional(),
  }),
  /** Data set numbers of the rows that get new responses, and `[rows of the slice]` weights w where they were scored. */
  entry('selection', { iteration: count, selected: z.array(count), weights: z.array(measured) }),
  /** The new responses of a model to a row: the reference of the iteration, or where it is not named the policy. */
  entry('responses', {
    iteration: count,
    row: count,
    source: z.literal('reference').optional(),
    responses: z.array(journalledResponse),
  }),
  /** What was found about the selected rows, once their pairs were made. */
  entry('outcomes', { iteration: count, rows: z.array(rowOutcome) }),
  /** Rewards by content, NaN where none could be read: of one response, or of all to a prompt where they are relative. */
  entry('rewards', { key: z.string(), rewards: z.array(measured), unreadableComparisons: count }),
  /** Rows of an optimizer step, and the weights of their offline pairs; of a step that is done again the last one counts. */
  entry('step', {
    iteration: count.optional(),
    step: count,
    rows: z.array(count),
    weights: z.array(measured).optional(),
  }),
  /** Seconds that stages of an iteration took since the entry before. */
  entry('seconds', { iteration: count, seconds: byStage }),
  /** An iteration is done. */
  entry('iteration', { iteration: count, summary: iterationSummary }),
]);

/** One event of a run or a training. */
export type RunEntry = Unchanging<z.output<typeof runEntry>>;

/** The entry of a kind. */
export type RunEntryOf<Kind extends RunEntry['kind']> = Extract<RunEntry, { readonly kind: Kind }>;
