import type { Session } from '@metaapo/engine';
import type { NetworkConfig } from '../network/network-config.js';
import { pagesNeeded, type Sequence, type StoredPrompt } from './flight.js';
import { layOut, movesBetween, placesIn, rowsOf, type StoreLayout } from './store-layout.js';

/** The store of a session while one generation has it. */
export interface Store<Flying extends Sequence> {
  /** Where everything lies now. */
  readonly layout: StoreLayout<Flying>;
  /**
   * Gives each sequence a place for one token more than it has stored, and moves what is there already. Sequences that have
   * left keep their places at first: moving costs about as much as half a token of all.
   */
  arrange(flight: readonly Flying[]): Promise<void>;
  /** Rows `[tokens, g]` of the tokens of prompts, one prompt behind the other. */
  rowsOf(prompts: readonly StoredPrompt[]): Int32Array;
}

/** An empty store. */
export function openStore<Flying extends Sequence>(session: Session, config: NetworkConfig): Store<Flying> {
  let layout = layOut<Flying>([], pagesNeeded);
  let arranged: ReadonlySet<Flying> = new Set();
  // Tokens that were computed for sequences that have left.
  let wasted = 0;
  const fits = (flight: readonly Flying[]): boolean => {
    const gone = arranged.size - flight.length;
    return (
      flight.every((sequence) => arranged.has(sequence)) &&
      2 * (wasted + gone) <= arranged.size &&
      layout.parts.every(({ members, pages }) => members.every((one) => one.hasLeft || pagesNeeded(one) <= pages))
    );
  };
  return {
    get layout() {
      return layout;
    },
    async arrange(flight) {
      if (fits(flight)) {
        wasted += arranged.size - flight.length;
        return;
      }
      const next = layOut(flight, pagesNeeded);
      const storedOf = (owner: Flying | StoredPrompt): number => ('length' in owner ? owner.length : owner.stored);
      const { from, to } = movesBetween(layout, next, storedOf, config);
      const shape = [from.length];
      if (from.length > 0) await session.run('move', { from: { data: from, shape }, to: { data: to, shape } });
      layout = next;
      [arranged, wasted] = [new Set(flight), 0];
    },
    rowsOf(prompts) {
      const places = placesIn(layout);
      const tokens = prompts.flatMap((prompt) =>
        Array.from({ length: prompt.length }, (_, token) => ({ place: places.get(prompt)!, token })),
      );
      return rowsOf(tokens, config);
    },
  };
}
