import type { Generation, GenerationRequest } from '@metaapo/core/contracts';
import { pagesOf } from '../network/decode.js';
import { pagesNeeded, type Sequence, type StoredPrompt } from './flight.js';
import { layOut } from './store-layout.js';

/** A request with the responses that it has so far. */
export interface PendingRequest {
  readonly index: number;
  readonly request: GenerationRequest;
  readonly done: (Generation | undefined)[];
  /** Its prompt in the store, while one of its responses is in flight. */
  stored?: StoredPrompt | undefined;
}

/** A response that waits for room in the store. */
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
export interface Flying extends Sequence {
  readonly pending: PendingRequest;
  /** Pages that it is expected to take. */
  expected: number;
}

/** Pages that a response is expected to take more than it has, when it is longer than was expected. */
const MORE_PAGES = 4;

/** Which responses are in flight: as many as the store has room for, by the length that responses turn out to have. */
export interface Schedule {
  /** Responses in flight, the longest there first. */
  readonly flight: readonly Flying[];
  readonly isDone: boolean;
  /** Takes from the front of the queue what there is room for. */
  admit(): readonly Admission[];
  /** Puts responses in flight. */
  enter(entering: readonly Flying[]): void;
  /** Sees to it that there is room for one more token of each response in flight: while there is none, the last one waits anew. */
  makeRoom(): void;
  /** Takes a response out of flight. */
  leave(sequence: Flying): void;
}

/**
 * A schedule over requests, for a store of so many pages. Prompts of like length are taken together. A response is expected
 * to be as long as those that have ended were on the mean, at first as long as is allowed. One that has to wait anew is
 * written again from its beginning: its seed gives the same tokens.
 */
export function createSchedule(pending: readonly PendingRequest[], capacity: number): Schedule {
  const byLength = [...pending].sort((a, b) => b.request.prompt.length - a.request.prompt.length);
  const queue: WaitingSample[] = byLength.flatMap((one) => one.done.map((_, sample) => ({ pending: one, sample })));
  let flight: Flying[] = [];
  let [ended, endedTokens] = [0, 0];

  const expectedPages = ({ maxNewTokens }: GenerationRequest): number =>
    pagesOf(ended === 0 ? maxNewTokens : Math.min(maxNewTokens, Math.ceil(endedTokens / ended)));
  const remove = (sequence: Flying): void => {
    const { pending: own, prompt } = sequence;
    sequence.hasLeft = true;
    flight = flight.filter((flying) => flying !== sequence);
    if (flight.some((flying) => flying.prompt === prompt)) return;
    prompt.logits?.dispose();
    if (own.stored === prompt) own.stored = undefined;
  };
  return {
    get flight() {
      return flight;
    },
    get isDone() {
      return queue.length === 0 && flight.length === 0;
    },
    admit() {
      const entering: Admission[] = [];
      const placed: { readonly prompt: { readonly length: number }; readonly expected: number }[] = [...flight];
      while (queue.length > 0) {
        const { pending: own, sample } = queue[0]!;
        const expected = expectedPages(own.request);
        placed.push({ prompt: own.stored ?? own.request.prompt, expected });
        if (layOut(placed, (one) => one.expected).pages > capacity) break;
        queue.shift();
        entering.push({ pending: own, sample, expected });
      }
      return entering;
    },
    enter(entering) {
      flight.push(...entering);
    },
    makeRoom() {
      while (layOut(flight, pagesNeeded).pages > capacity) {
        const { pending: own, sample } = flight.at(-1)!;
        remove(flight.at(-1)!);
        queue.unshift({ pending: own, sample });
      }
      for (const sequence of flight) {
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
