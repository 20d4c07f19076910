import type { SampledResponse, SampledResponses } from '../../contracts/index.js';
import type { RunEntry, RunEntryOf } from '../../journal/index.js';
import type { PairEntropies } from '../../objectives/index.js';

/** A model that new responses are drawn from. */
export type DrawSource = 'policy' | 'reference';

/** A new response, and which model wrote it. */
export interface DrawnResponse extends SampledResponse {
  readonly source: DrawSource;
}

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
  /** Responses by data set number: those of the policy, then those of the reference. */
  readonly responses: Map<number, readonly DrawnResponse[]>;
}

/** The record of an iteration out of its entries. */
export function recordOf(entries: readonly RunEntry[]): IterationRecord {
  const record: IterationRecord = { responses: new Map() };
  for (const entry of entries) {
    if (entry.kind === 'scores') {
      record.scores = Float32Array.from(entry.scores);
      record.entropies = entropiesIn(entry);
    } else if (entry.kind === 'selection') record.selected = new Set(entry.selected);
    else if (entry.kind === 'responses') {
      noteResponses(record, entry.row, entry.source ?? 'policy', entry.responses.map(restored));
    }
  }
  return record;
}

/** True where a row has its responses of a model. */
export function isDrawn({ responses }: IterationRecord, row: number, from: DrawSource): boolean {
  return responses.get(row)?.some(({ source }) => source === from) === true;
}

/** Notes what a model answered to a row. */
export function noteResponses(
  { responses }: IterationRecord,
  row: number,
  source: DrawSource,
  given: readonly SampledResponse[],
): void {
  const others = (responses.get(row) ?? []).filter((known) => known.source !== source);
  const own = given.map((response) => ({ ...response, source }));
  responses.set(row, source === 'policy' ? [...own, ...others] : [...others, ...own]);
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

/** An entry of the responses of a model to a row, with their log-probabilities where the sampler gave them. */
export function responsesEntry(
  iteration: number,
  { row, responses }: SampledResponses,
  source: DrawSource,
): RunEntryOf<'responses'> {
  const stored = responses.map(({ text, tokens, finishReason, logprobs }) => ({
    text,
    tokens: [...tokens],
    finishReason,
    ...(logprobs && { logprobs: [...logprobs] }),
  }));
  return { kind: 'responses', iteration, row, ...(source === 'reference' && { source }), responses: stored };
}
