import type { Generation, GenerationRequest } from '@metaapo/core/contracts';
import { pagesOf } from '../transformer/decode.js';
import { type CachedPrompt, pagesNeeded, type Sequence } from './batch-feeds.js';
import { layOut } from './kv-cache-layout.js';

/** A request with the responses that it has so far. */
export interface PendingRequest {
  readonly index: number;
  readonly request: GenerationRequest;
  readonly done: (Generation | undefined)[];
  /** Its prompt in the cache, while one of its responses is in the batch. */
  cached?: CachedPrompt | undefined;
}

/** A response that waits for room in the cache. */
export interface WaitingSample {
  readonly pending: PendingRequest;
  /** Number of the response within its request. */
  readonly sample: number;
}

/** A waiting response for which there is room now. */
export interface Admission extends WaitingSample {
  /** Pages that it is expected to take. */
  readonly expected: number;
}

/** A response that is being written. */
export interface RunningSequence extends Sequence {
  readonly pending: PendingRequest;
  /** Pages that it is expected to take. */
  expected: number;
}

/** Pages that a response is expected to take more than it has, when it is longer than was expected. */
const MORE_PAGES = 4;

/** Which responses are in the batch: as many as the cache has room for, by the length that responses turn out to have. */
export interface Schedule {
  /** Responses in the batch, the longest there first. */
  readonly batch: readonly RunningSequence[];
  readonly isDone: boolean;
  /** Takes from the front of the queue what there is room for. */
  admit(): readonly Admission[];
  /** Puts responses in the batch. */
  enter(entering: readonly RunningSequence[]): void;
  /** Sees to it that there is room for one more token of each response in the batch: while there is none, the last one waits anew. */
  makeRoom(): void;
  /** Takes a response out of the batch. */
  leave(sequence: RunningSequence): void;
}

/**
 * A schedule over requests, for a cache of so many pages. Prompts of like length are taken together. A response is expected
 * to be as long as those that have ended were on the mean, at first as long as is allowed. One that has to wait anew is
 * written again from its beginning: its seed gives the same tokens.
 */
export function createSchedule(pending: readonly PendingRequest[], capacity: number): Schedule {
  const byLength = [...pending].sort((a, b) => b.request.prompt.length - a.request.prompt.length);
  const queue: WaitingSample[] = byLength.flatMap((one) => one.done.map((_, sample) => ({ pending: one, sample })));
  let batch: RunningSequence[] = [];
  let [ended, endedTokens] = [0, 0];

  const expectedPages = ({ maxNewTokens }: GenerationRequest): number =>
    pagesOf(ended === 0 ? maxNewTokens : Math.min(maxNewTokens, Math.ceil(endedTokens / ended)));
  const remove = (sequence: RunningSequence): void => {
    const { pending: own, prompt } = sequence;
    sequence.hasLeft = true;
    batch = batch.filter((running) => running !== sequence);
    if (batch.some((running) => running.prompt === prompt)) return;
    prompt.logits?.dispose();
    if (own.cached === prompt) own.cached = undefined;
  };
  return {
    get batch() {
      return batch;
    },
    get isDone() {
      return queue.length === 0 && batch.length === 0;
    },
    admit() {
      const entering: Admission[] = [];
      const placed: { readonly prompt: { readonly length: number }; readonly expected: number }[] = [...batch];
      while (queue.length > 0) {
        const { pending: own, sample } = queue[0]!;
        const expected = expectedPages(own.request);
        placed.push({ prompt: own.cached ?? own.request.prompt, expected });
        if (layOut(placed, (one) => one.expected).pages > capacity) break;
        queue.shift();
        entering.push({ pending: own, sample, expected });
      }
      return entering;
    },
    enter(entering) {
      batch.push(...entering);
    },
    makeRoom() {
      while (layOut(batch, pagesNeeded).pages > capacity) {
        const { pending: own, sample } = batch.at(-1)!;
        remove(batch.at(-1)!);
        queue.unshift({ pending: own, sample });
      }
      for (const sequence of batch) {
        if (pagesNeeded(sequence) <= sequence.expected) continue;
        const most = pagesOf(sequence.pending.request.maxNewTokens);
        sequence.expected = Math.min(most, sequence.expected + MORE_PAGES);
      }
    },
    leave(sequence) {
      ended += 1;
      endedTokens += sequence.tokens.length;
      remove(sequence);
    },
  };
}
