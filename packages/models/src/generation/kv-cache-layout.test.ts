import { describe, expect, it } from 'vitest';
import { FINE_SIZES } from '../transformer/size-class.js';
import type { PassConfig } from '../transformer/transformer-config.js';
import { layOut, movesBetween, placesIn, rowsOf } from './kv-cache-layout.js';

const config = { keyValueHeads: 2, batchPieces: 4, sizes: FINE_SIZES } as PassConfig;
const [long, short] = [{ length: 40 }, { length: 3 }];
const sequenceOf = (prompt: { readonly length: number }, pages: number) => ({ prompt, pages });
const needed = ({ pages }: { readonly pages: number }): number => pages;

describe('the layout of the cache', () => {
  it('puts the prompts of a piece first, then its sequences, and overlaps nothing', () => {
    const sequences = [5, 4, 2, 2, 1, 1, 1].map((pages, at) => sequenceOf(at < 3 ? long : short, pages));
    const layout = layOut(sequences, needed, config);
    const places = placesIn(layout);
    expect([...places.keys()]).toEqual([long, ...sequences.slice(0, 3), short, ...sequences.slice(3)]);
    let end = 0;
    for (const [owner, { start, pages }] of places) {
      expect(start).toBe(end);
      expect(pages).toBeGreaterThanOrEqual('pages' in owner ? owner.pages : 1);
      end += pages;
    }
    expect(end).toBe(layout.pages);
    // Places are as long as the longest of their piece only.
    const used = layout.pieces.filter(({ members }) => members.length > 0);
    expect(used.map(({ contextPages, pages }) => [contextPages, pages])).toEqual([
      [3, 5],
      [1, 2],
    ]);
  });

  it('keeps the sequences of a prompt together, whenever they came', () => {
    const sequences = [long, short, long, short].map((prompt) => sequenceOf(prompt, 1));
    const [a, b, c, d] = sequences;
    expect(layOut(sequences, needed, config).sequences).toEqual([a, c, b, d]);
  });

  it('takes no more for what needs no more', () => {
    const sequences = [3, 2, 2, 1].map((pages) => sequenceOf(long, pages));
    const before = layOut(sequences, needed, config).pages;
    expect(layOut(sequences, (one) => needed(one) + 1, config).pages).toBeGreaterThan(before);
    expect(layOut(sequences.slice(1), needed, config).pages).toBeLessThan(before);
  });

  it('gives the tokens of a group rows that follow one another', () => {
    const place = { start: 3, pages: 2 };
    const rows = rowsOf(
      [0, 17].map((token) => ({ place, token })),
      config,
    );
    // Two groups of two pages of 16 rows, behind three pages of both groups.
    expect([...rows]).toEqual([96, 128, 113, 145]);
  });

  it('moves each page in use to its new place, and nothing that stays', () => {
    const [old, kept] = [sequenceOf(short, 2), sequenceOf(short, 1)];
    const before = layOut([old, kept], needed, config);
    const after = layOut([kept], needed, config);
    const moves = movesBetween(before, after, () => 5, config);
    // The prompt stays; the sequence takes the place behind it, a page a group.
    const [from, to] = [placesIn(before).get(kept)!, placesIn(after).get(kept)!];
    expect([...moves.from]).toEqual([2 * from.start, 2 * from.start + from.pages]);
    expect([...moves.to]).toEqual([2 * to.start, 2 * to.start + to.pages]);
    expect(movesBetween(before, before, () => 5, config).from).toHaveLength(0);
  });
});
