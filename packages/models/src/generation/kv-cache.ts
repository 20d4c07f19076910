import type { Session } from '@metaapo/engine';
import type { PassConfig } from '../transformer/transformer-config.js';
import { type CachedPrompt, pagesNeeded, type Sequence } from './batch-feeds.js';
import { type KvCacheLayout, layOut, movesBetween, placesIn, rowsOf } from './kv-cache-layout.js';

/** The KV cache of a session while one generation has it. */
export interface KvCache<RunningSequence extends Sequence> {
  /** Where everything lies now. */
  readonly layout: KvCacheLayout<RunningSequence>;
  /**
   * Gives each sequence a place for one token more than it has cached, and moves what is there already. Sequences that have
   * left keep their places at first: moving costs about as much as half a token of all.
   */
  arrange(batch: readonly RunningSequence[]): Promise<void>;
  /** Rows `[tokens, g]` of the tokens of prompts, one prompt behind the other, filled up to so many tokens. */
  rowsOf(prompts: readonly CachedPrompt[], count: number): Int32Array;
}

/** An empty KV cache. */
export function openKvCache<RunningSequence extends Sequence>(
  session: Session,
  config: PassConfig,
): KvCache<RunningSequence> {
  let layout = layOut<RunningSequence>([], pagesNeeded, config);
  let arranged: ReadonlySet<RunningSequence> = new Set();
  // Tokens that were computed for sequences that have left.
  let wasted = 0;
  const fits = (batch: readonly RunningSequence[]): boolean => {
    const gone = arranged.size - batch.length;
    return (
      batch.every((sequence) => arranged.has(sequence)) &&
      2 * (wasted + gone) <= arranged.size &&
      layout.pieces.every(({ members, pages }) => members.every((one) => one.hasLeft || pagesNeeded(one) <= pages))
    );
  };
  return {
    get layout() {
      return layout;
    },
    async arrange(batch) {
      if (fits(batch)) {
        wasted += arranged.size - batch.length;
        return;
      }
      const next = layOut(batch, pagesNeeded, config);
      const { from, to } = movesBetween(layout, next, cachedOf, config);
      const shape = [from.length];
      if (from.length > 0) await session.run('move', { from: { data: from, shape }, to: { data: to, shape } });
      layout = next;
      [arranged, wasted] = [new Set(batch), 0];
    },
    rowsOf(prompts, count) {
      const places = placesIn(layout);
      const tokens = prompts.flatMap((prompt) =>
        Array.from({ length: prompt.length }, (_, token) => ({ place: places.get(prompt)!, token })),
      );
      return rowsOf(tokens, config, count);
    },
  };
}

/** Tokens of a prompt or a sequence that are in the cache. */
const cachedOf = (owner: Sequence | CachedPrompt): number => ('length' in owner ? owner.length : owner.cached);
