import type { Generation, GenerationRequest } from '@metaapo/core/contracts';
import { pagesOf } from '../transformer/decode.js';
import { type CachedPrompt, pagesNeeded, type Sequence } from './batch-feeds.js';
import { type KvCacheLayoutForm, layOut } from './kv-cache-layout.js';

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
export function createSchedule(
  pending: readonly PendingRequest[],
  capacity: number,
  form: KvCacheLayoutForm,
): Schedule {
  const byLength = [...pending].sort((a, b) => b.request.prompt.length - a.request.prompt.length);
  const state: ScheduleState = {
    queue: byLength.flatMap((one) => one.done.map((_, sample) => ({ pending: one, sample }))),
    batch: [],
    ended: 0,
    endedTokens: 0,
  };
  return {
    get batch() {
      return state.batch;
    },
    get isDone() {
      return state.queue.length === 0 && state.batch.length === 0;
    },
    admit: () => admit(state, { capacity, form }),
    enter(entering) {
      state.batch = [...state.batch, ...entering];
    },
    makeRoom: () => makeRoom(state, { capacity, form }),
    leave(sequence) {
      state.ended += 1;
      state.endedTokens += sequence.tokens.length;
      remove(state, sequence);
    },
  };
}

/** The cache that responses have to find room in. */
interface Room {
  readonly capacity: number;
  readonly form: KvCacheLayoutForm;
}

interface ScheduleState {
  readonly queue: WaitingSample[];
  batch: readonly RunningSequence[];
  /** Responses that have ended, and their tokens. */
  ended: number;
  endedTokens: number;
}

function expectedPages({ ended, endedTokens }: ScheduleState, { maxNewTokens }: GenerationRequest): number {
  return pagesOf(ended === 0 ? maxNewTokens : Math.min(maxNewTokens, Math.ceil(endedTokens / ended)));
}

function admit(state: ScheduleState, { capacity, form }: Room): readonly Admission[] {
  const { queue } = state;
  const entering: Admission[] = [];
  const placed: { readonly prompt: { readonly length: number }; readonly expected: number }[] = [...state.batch];
  while (queue.length > 0) {
    const { pending, sample } = queue[0]!;
    const expected = expectedPages(state, pending.request);
    placed.push({ prompt: pending.cached ?? pending.request.prompt, expected });
    if (layOut(placed, (one) => one.expected, form).pages > capacity) break;
    queue.shift();
    entering.push({ pending, sample, expected });
  }
  return entering;
}

function makeRoom(state: ScheduleState, { capacity, form }: Room): void {
  while (layOut(state.batch, pagesNeeded, form).pages > capacity) {
    const last = state.batch.at(-1)!;
    remove(state, last);
    state.queue.unshift({ pending: last.pending, sample: last.sample });
  }
  for (const sequence of state.batch) {
    if (pagesNeeded(sequence) <= sequence.expected) continue;
    const most = pagesOf(sequence.pending.request.maxNewTokens);
    sequence.expected = Math.min(most, sequence.expected + MORE_PAGES);
  }
}

/** Takes a sequence out of the batch, and its prompt where no other one continues that. */
function remove(state: ScheduleState, sequence: RunningSequence): void {
  const { pending, prompt } = sequence;
  sequence.hasLeft = true;
  state.batch = state.batch.filter((running) => running !== sequence);
  if (state.batch.some((running) => running.prompt === prompt)) return;
  prompt.logits?.dispose();
  if (pending.cached === prompt) pending.cached = undefined;
}
