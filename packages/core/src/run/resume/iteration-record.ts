import type { SampledResponse } from '../../contracts/index.js';
import type { RunEntry, RunEntryOf } from '../../journal/index.js';
import type { PairEntropies } from '../../objectives/index.js';

/**
 * What an iteration has journalled so far; a resumed run takes it from here instead of doing it again. Rewards are not
 * a part of it: they are journalled by content for the whole run.
 */
export interface IterationRecord {
  /** `[rows of the slice]` preference scores s. */
  scores?: Float32Array;
  /** `[rows of the slice]` mean entropies of both responses, where the meta-learner reads them. */
  entropies?: PairEntropies | undefined;
  /** Data set numbers of the rows that get new responses. */
  selected?: ReadonlySet<number>;
  /** Responses by data set number. */
  readonly responses: Map<number, readonly SampledResponse[]>;
}

/** The record of an iteration out of its entries. */
export function recordOf(entries: readonly RunEntry[]): IterationRecord {
  const record: IterationRecord = { responses: new Map() };
  for (const entry of entries) {
    if (entry.kind === 'scores') {
      record.scores = Float32Array.from(entry.scores);
      record.entropies = entropiesIn(entry);
    } else if (entry.kind === 'selection') record.selected = new Set(entry.selected);
    else if (entry.kind === 'responses') record.responses.set(entry.row, entry.responses.map(restored));
  }
  return record;
}

/** An entry of the scores of a slice. */
export function scoresEntry(
  iteration: number,
  scores: Float32Array,
  entropies: PairEntropies | undefined,
): RunEntryOf<'scores'> {
  const stored = entropies && {
    chosenEntropy: [...entropies.chosenEntropy],
    rejectedEntropy: [...entropies.rejectedEntropy],
  };
  return { kind: 'scores', iteration, scores: [...scores], ...stored };
}

function entropiesIn({ chosenEntropy, rejectedEntropy }: RunEntryOf<'scores'>): PairEntropies | undefined {
  if (chosenEntropy === undefined || rejectedEntropy === undefined) return undefined;
  return { chosenEntropy: Float32Array.from(chosenEntropy), rejectedEntropy: Float32Array.from(rejectedEntropy) };
}

type StoredResponse = RunEntryOf<'responses'>['responses'][number];

const restored = ({ text, tokens, finishReason, logprobs }: StoredResponse): SampledResponse => ({
  text,
  tokens: Int32Array.from(tokens),
  finishReason,
  ...(logprobs && { logprobs: Float32Array.from(logprobs) }),
});

/** An entry of the responses to a row, with their log-probabilities where the sampler gave them. */
export function responsesEntry(
  iteration: number,
  row: number,
  responses: readonly SampledResponse[],
): RunEntryOf<'responses'> {
  const stored = responses.map(({ text, tokens, finishReason, logprobs }) => ({
    text,
    tokens: [...tokens],
    finishReason,
    ...(logprobs && { logprobs: [...logprobs] }),
  }));
  return { kind: 'responses', iteration, row, responses: stored };
}
