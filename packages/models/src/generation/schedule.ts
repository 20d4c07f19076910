import type { Generation, GenerationRequest } from '@metaapo/core/contracts';
import { PAGE_TOKENS, pagesOf } from '../network/decode.js';
import type { Sequence, StoredPrompt } from './flight.js';
import type { PageStore } from './page-store.js';

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
  /** Pages set aside for its tokens. */
  readonly reserved: number;
}

/** A response that is being written. */
export interface Flying extends Sequence {
  readonly pending: PendingRequest;
  /** Pages set aside for its tokens so far. */
  reserved: number;
}

/** Pages that a response gets when it is longer than was expected. */
const MORE_PAGES = 4;

/** Which responses are in flight: as many as the store has room for, by the length that responses turn out to have. */
export interface Schedule {
  /** Responses in flight, the longest there first. */
  readonly flight: readonly Flying[];
  readonly isDone: boolean;
  /** Takes from the front of the queue what there is room for, and sets pages aside for it. */
  admit(): readonly Admission[];
  /** Puts responses in flight. */
  enter(entering: readonly Flying[]): void;
  /** Sees to it that each response in flight has room for one more token; where there is none, the last one waits anew. */
  makeRoom(): void;
  /** Takes a response out of flight, and gives back its pages, and its prompt's where it was the last of them. */
  leave(sequence: Flying): void;
}

/**
 * A schedule over requests. A response is expected to be as long as those that have ended were on the mean, at first as
 * long as is allowed. One that has to wait anew is written again from its beginning: its seed gives the same tokens.
 */
export function createSchedule(pending: readonly PendingRequest[], store: PageStore): Schedule {
  const queue: WaitingSample[] = pending.flatMap((one) => one.done.map((_, sample) => ({ pending: one, sample })));
  let flight: Flying[] = [];
  let [ended, endedTokens] = [0, 0];

  const expectedPages = ({ maxNewTokens }: GenerationRequest): number =>
    pagesOf(ended === 0 ? maxNewTokens : Math.min(maxNewTokens, Math.ceil(endedTokens / ended)));
  const remove = (sequence: Flying): void => {
    const { pending: own, prompt, pages } = sequence;
    flight = flight.filter((flying) => flying !== sequence);
    store.giveBack(pages, sequence.reserved - pages.length);
    if (flight.some((flying) => flying.prompt === prompt)) return;
    store.giveBack(prompt.pages, 0);
    prompt.logits.dispose();
    if (own.stored === prompt) own.stored = undefined;
  };
  const waitAnew = (sequence: Flying): void => {
    remove(sequence);
    queue.unshift({ pending: sequence.pending, sample: sequence.sample });
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
      const withPrompt = new Set<PendingRequest>();
      while (queue.length > 0) {
        const { pending: own, sample } = queue[0]!;
        const isThere = own.stored !== undefined || withPrompt.has(own);
        const reserved = expectedPages(own.request);
        const room = reserved + (isThere ? 0 : pagesOf(own.request.prompt.length));
        if (room > store.free) break;
        store.reserve(room);
        queue.shift();
        entering.push({ pending: own, sample, reserved });
        withPrompt.add(own);
      }
      return entering;
    },
    enter(entering) {
      flight.push(...entering);
    },
    makeRoom() {
      for (const sequence of [...flight]) {
        while (flight.includes(sequence) && sequence.stored === sequence.reserved * PAGE_TOKENS) {
          const more = Math.min(MORE_PAGES, pagesOf(sequence.pending.request.maxNewTokens) - sequence.reserved);
          if (more > store.free) {
            waitAnew(flight.at(-1)!);
          } else {
            store.reserve(more);
            sequence.reserved += more;
          }
        }
      }
    },
    leave(sequence) {
      ended += 1;
      endedTokens += sequence.tokens.length;
      remove(sequence);
    },
  };
}
