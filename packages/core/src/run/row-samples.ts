import type { ChatMessage, NoPairReason, TokenizedPreference } from '../contracts/index.js';
import type { BuiltPairs, OnlinePairText } from './build-pairs.js';
import type { IterationRecord } from './run-journal.js';
import type { RunPrompt } from './run-prompt.js';

/** What became of a row: an online pair, no new responses, or why its responses made no pair. */
export type RowFate = 'pair' | 'unselected' | NoPairReason;

/** A row with its offline pair and what was sampled. */
export interface RowSample {
  readonly row: number;
  readonly fate: RowFate;
  /** The prompt as text; the rendered conversation where the row has one. */
  readonly prompt: string;
  /** The conversation, where the row has one. */
  readonly messages?: readonly ChatMessage[] | undefined;
  readonly offline?: RunPrompt['offline'];
  readonly online?: OnlinePairText | undefined;
  /** All responses of a selected row that made no pair; a reward that could not be read is absent. */
  readonly responses?: readonly { readonly text: string; readonly reward?: number | undefined }[] | undefined;
  /** Preference score s of the offline pair when the row was selected or not. */
  readonly score: number;
  /** Weight w of the offline pair then. */
  readonly weight: number;
}

/** Most samples with a pair, and of the two other groups. */
const PAIRS = 12;
const OTHERS = 6;

/** What samples are taken from. */
export interface SampleInput {
  readonly rows: readonly TokenizedPreference[];
  /** `[rows]` */
  readonly weights: Float32Array;
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly built: BuiltPairs;
  readonly record: IterationRecord;
}

/** A few rows of the slice in order, spread evenly over those with a pair, without one, and not selected. */
export function rowSamples({ rows, weights, promptOf, built, record }: SampleInput): readonly RowSample[] {
  const fates = rows.map(({ row }): RowFate => {
    if (built.texts.has(row)) return 'pair';
    return built.withoutPair.get(row) ?? 'unselected';
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
        messages,
        offline,
        score: record.scores![index]!,
        weight: weights[index]!,
      };
      if (fate === 'pair') return { ...sample, online: built.texts.get(row)! };
      return fate === 'unselected' ? sample : { ...sample, responses: responsesOf(row, record) };
    });
}

function responsesOf(row: number, { responses, rewards }: IterationRecord): RowSample['responses'] {
  const given = rewards.get(row)!;
  return responses.get(row)!.map(({ text }, index) => {
    const reward = given[index]!;
    return Number.isNaN(reward) ? { text } : { text, reward };
  });
}

/** At most `count` of the indices, evenly spread. */
function spread(indices: readonly number[], count: number): readonly number[] {
  if (indices.length <= count) return indices;
  return Array.from({ length: count }, (_, at) => indices[Math.floor((at * indices.length) / count)]!);
}
