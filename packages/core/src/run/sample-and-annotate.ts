import type {
  ResponseSampler,
  RewardModel,
  SampledResponse,
  SamplingRequest,
  TokenizedPreference,
} from '../contracts/index.js';
import { MetaapoError } from '../contracts/index.js';
import { seedOf } from '../numerics/index.js';
import type { Journal } from '../storage/index.js';
import { type IterationRecord, journalResponses, journalRewards } from './run-journal.js';
import type { RunPrompt } from './run-prompt.js';
import type { StageClock } from './stage-clock.js';

/** What sampling and annotation work with. */
export interface AnnotationOptions {
  readonly sampler: ResponseSampler;
  readonly rewardModel: RewardModel;
  /** Responses a prompt, K. */
  readonly count: number;
  readonly promptOf: (row: TokenizedPreference) => RunPrompt;
  readonly journal: Journal;
  readonly iteration: number;
  readonly seed: number;
  readonly clock: StageClock;
  /** Told how many rows have responses, and how many have rewards. */
  readonly progress: (stage: 'sample' | 'reward', rows: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * New responses to the rows, each row's annotated as soon as they are there, while others are still being written.
 * What the record holds is not done again; everything is journalled before it is used.
 */
export async function sampleAndAnnotate(
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  options: AnnotationOptions,
): Promise<void> {
  const byNumber = new Map(rows.map((row) => [row.row, row]));
  const annotate = createAnnotator(byNumber, record, options);
  const known = rows.filter(({ row }) => record.responses.has(row));
  const pending: Promise<void>[] = [];
  const begin = (wanted: readonly TokenizedPreference[]): void => {
    const annotation = annotate(wanted);
    // Its failure is reported when all are awaited; until then it is not unhandled.
    annotation.catch(() => undefined);
    pending.push(annotation);
  };
  options.progress('sample', record.responses.size);
  options.progress('reward', record.rewards.size);
  begin(known);
  await options.clock.time('sample', () => sampleMissing(rows, record, options, (row) => begin([row])));
  await Promise.all(pending);
}

async function sampleMissing(
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  options: AnnotationOptions,
  begin: (row: TokenizedPreference) => void,
): Promise<void> {
  const byNumber = new Map(rows.map((row) => [row.row, row]));
  const missing = rows.filter(({ row }) => !record.responses.has(row)).map((row) => requestOf(row, options));
  if (missing.length === 0) return;
  for await (const { row, responses } of options.sampler.sample(missing, options.signal)) {
    checkResponses(row, responses, options.count);
    await journalResponses(options.journal, options.iteration, row, responses);
    record.responses.set(row, responses);
    options.progress('sample', record.responses.size);
    begin(byNumber.get(row)!);
  }
}

function requestOf(row: TokenizedPreference, { promptOf, count, seed, iteration }: AnnotationOptions): SamplingRequest {
  const { messages, text } = promptOf(row);
  return {
    row: row.row,
    prompt: row.prompt,
    messages,
    text,
    count,
    seed: seedOf(['sample', seed, iteration, row.row]),
  };
}

function checkResponses(row: number, responses: readonly SampledResponse[], count: number): void {
  if (responses.length === count) return;
  throw new MetaapoError('network', 'the sampler gave another number of responses than it was asked for', {
    where: `row ${row}`,
    expected: String(count),
    got: String(responses.length),
  });
}

function createAnnotator(
  byNumber: ReadonlyMap<number, TokenizedPreference>,
  record: IterationRecord,
  { rewardModel, promptOf, journal, iteration, clock, progress, signal }: AnnotationOptions,
): (rows: readonly TokenizedPreference[]) => Promise<void> {
  return async (rows: readonly TokenizedPreference[]): Promise<void> => {
    const missing = rows.filter(({ row }) => !record.rewards.has(row));
    if (missing.length === 0) return;
    const requests = missing.flatMap(({ row }) => {
      const { messages, text } = promptOf(byNumber.get(row)!);
      return record.responses.get(row)!.map((response) => ({ prompt: messages ?? text, response: response.text }));
    });
    const rewards = await clock.time('reward', () => rewardModel.score(requests, signal));
    let at = 0;
    for (const { row } of missing) {
      const count = record.responses.get(row)!.length;
      const own = rewards.slice(at, at + count);
      at += count;
      await journalRewards(journal, iteration, row, own);
      record.rewards.set(row, own);
    }
    progress('reward', record.rewards.size);
  };
}
