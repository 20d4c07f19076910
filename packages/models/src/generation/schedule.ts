import type { Generation, GenerationRequest } from '@metaapo/core/contracts';
import type { Sequence, StoredPrompt } from './flight.js';
import type { TokenStore } from './token-store.js';

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
  /** Rows set aside for its tokens. */
  readonly reserved: number;
}

/** A response that is being written. */
export interface Flying extends Sequence {
  readonly pending: PendingRequest;
  /** Rows set aside for its tokens so far. */
  reserved: number;
}

/** Rows that a response gets when it is longer than was expected. */
const MORE_ROWS = 64;

/** Which responses are in flight: as many as the store has room for, by the length that responses turn out to have. */
export interface Schedule {
  /** Responses in flight, the longest there first. */
  readonly flight: readonly Flying[];
  readonly isDone: boolean;
  /** Takes from the front of the queue what there is room for, and sets rows aside for it. */
  admit(): readonly Admission[];
  /** Puts responses in flight. */
  enter(entering: readonly Flying[]): void;
  /** Sees to it that each response in flight has a row for one more token; where there is none, the last one waits anew. */
  makeRoom(): void;
  /** Takes a response out of flight, and gives back its rows, and its prompt's where it was the last of them. */
  leave(sequence: Flying): void;
}

/**
 * A schedule over requests. A response is expected to be as long as those that have ended were on the mean, at first as
 * long as is allowed. One that has to wait anew is written again from its beginning: its seed gives the same tokens.
 */
export function createSchedule(pending: readonly PendingRequest[], store: TokenStore): Schedule {
  const queue: WaitingSample[] = pending.flatMap((one) => one.done.map((_, sample) => ({ pending: one, sample })));
  let flight: Flying[] = [];
  let [ended, endedTokens] = [0, 0];

  const expectedRows = ({ maxNewTokens }: GenerationRequest): number =>
    ended === 0 ? maxNewTokens : Math.min(maxNewTokens, Math.ceil(endedTokens / ended));
  const remove = (sequence: Flying): void => {
    const { pending: own, prompt, rows } = sequence;
    flight = flight.filter((flying) => flying !== sequence);
    store.giveBack(rows, sequence.reserved - rows.length);
    if (flight.some((flying) => flying.prompt === prompt)) return;
    store.giveBack(prompt.rows, 0);
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
        const reserved = expectedRows(own.request);
        const room = reserved + (isThere ? 0 : own.request.prompt.length);
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
        while (flight.includes(sequence) && sequence.rows.length === sequence.reserved) {
          const more = Math.min(MORE_ROWS, sequence.pending.request.maxNewTokens - sequence.reserved);
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
