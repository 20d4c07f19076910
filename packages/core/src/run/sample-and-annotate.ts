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
  /** Told how many rows have responses, and how many have rewards. */
  readonly progress: (stage: 'sample' | 'reward', rows: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds of two stages that overlap. */
export interface AnnotationTimes {
  readonly sampleSeconds: number;
  readonly rewardSeconds: number;
}

/**
 * New responses to the rows, each row's annotated as soon as they are there, while others are still being written.
 * What the record holds is not done again; everything is journalled before it is used.
 */
export async function sampleAndAnnotate(
  rows: readonly TokenizedPreference[],
  record: IterationRecord,
  options: AnnotationOptions,
): Promise<AnnotationTimes> {
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
  begin(known);
  options.progress('sample', record.responses.size);
  const started = performance.now();
  const missing = rows.filter(({ row }) => !record.responses.has(row)).map((row) => requestOf(row, options));
  if (missing.length > 0) {
    for await (const { row, responses } of options.sampler.sample(missing, options.signal)) {
      checkResponses(row, responses, options.count);
      await journalResponses(options.journal, options.iteration, row, responses);
      record.responses.set(row, responses);
      options.progress('sample', record.responses.size);
      begin([byNumber.get(row)!]);
    }
  }
  const sampleSeconds = (performance.now() - started) / 1000;
  await Promise.all(pending);
  return { sampleSeconds, rewardSeconds: annotate.seconds() };
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

interface Annotator {
  (rows: readonly TokenizedPreference[]): Promise<void>;
  seconds(): number;
}

function createAnnotator(
  byNumber: ReadonlyMap<number, TokenizedPreference>,
  record: IterationRecord,
  { rewardModel, promptOf, journal, iteration, progress, signal }: AnnotationOptions,
): Annotator {
  let seconds = 0;
  const annotate = async (rows: readonly TokenizedPreference[]): Promise<void> => {
    const missing = rows.filter(({ row }) => !record.rewards.has(row));
    if (missing.length === 0) return;
    const started = performance.now();
    const requests = missing.flatMap(({ row }) => {
      const { messages, text } = promptOf(byNumber.get(row)!);
      return record.responses.get(row)!.map((response) => ({ prompt: messages ?? text, response: response.text }));
    });
    const rewards = await rewardModel.score(requests, signal);
    seconds += (performance.now() - started) / 1000;
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
  return Object.assign(annotate, { seconds: () => seconds });
}
