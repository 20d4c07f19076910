import { messageText, type TokenizedPreference } from '../../contracts/index.js';
import type { RowFate, RowSample } from '../../journal/index.js';
import type { AnnotatedResponses, ResponseCounts } from '../pairs/build-pairs.js';
import type { RunPrompt } from '../run-options.js';

/** Most samples with a pair, and of the two other groups. */
const PAIRS = 12;
const OTHERS = 6;

/** What samples are taken from. */
export interface SampleInput {
  readonly rows: readonly TokenizedPreference[];
  /** `[rows]` preference scores and weights; absent where the rows were not scored. */
  readonly scores: Float32Array | undefined;
  readonly weights: Float32Array | undefined;
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly built: ResponseCounts;
  /** What was sampled, with its rewards. */
  readonly given: AnnotatedResponses;
}

/** A few rows of the slice in order, spread evenly over those with a pair, without one, and not selected. */
export function rowSamples({ rows, scores, weights, promptOf, built, given }: SampleInput): readonly RowSample[] {
  const fates = rows.map(({ row }): RowFate => {
    if (built.texts.has(row)) return 'pair';
    return built.withoutPair.get(row) ?? (given.responses.has(row) ? 'sampled' : 'unselected');
  });
  const of = (isWanted: (fate: RowFate) => boolean): number[] =>
    fates.flatMap((fate, index) => (isWanted(fate) ? [index] : []));
  const groups = [
    spread(
      of((fate) => fate === 'pair'),
      PAIRS,
    ),
    spread(
      of((fate) => fate !== 'pair' && fate !== 'unselected'),
      OTHERS,
    ),
    spread(
      of((fate) => fate === 'unselected'),
      OTHERS,
    ),
  ];
  return groups
    .flat()
    .sort((left, right) => left - right)
    .map((index): RowSample => {
      const { row } = rows[index]!;
      const { text, messages, offline } = promptOf(rows[index]!);
      const fate = fates[index]!;
      const sample = {
        row,
        fate,
        prompt: text,
        messages: messages?.map((message) => ({ role: message.role, content: messageText(message) })),
        offline,
        score: scores?.[index],
        weight: weights?.[index],
      };
      if (fate === 'pair') return { ...sample, online: built.texts.get(row)![0]! };
      return fate === 'unselected' ? sample : { ...sample, responses: responsesOf(row, given) };
    });
}

function responsesOf(row: number, { responses, rewards }: AnnotatedResponses): RowSample['responses'] {
  const { rewards: given } = rewards.get(row)!;
  return responses.get(row)!.map(({ text }, index) => {
    const reward = given[index];
    return reward === undefined || Number.isNaN(reward) ? { text } : { text, reward };
  });
}

/** At most `count` of the indices, evenly spread. */
function spread(indices: readonly number[], count: number): readonly number[] {
  if (indices.length <= count) return indices;
  return Array.from({ length: count }, (_, at) => indices[Math.floor((at * indices.length) / count)]!);
}
