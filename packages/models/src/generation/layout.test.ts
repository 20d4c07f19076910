import { describe, expect, it } from 'vitest';
import { layOut, movesBetween, placesIn, rowsOf } from './layout.js';

const config = { keyValueHeads: 2 } as Parameters<typeof rowsOf>[1];
const [long, short] = [{ length: 40 }, { length: 3 }];
const sequenceOf = (prompt: { readonly length: number }, pages: number) => ({ prompt, pages });
const needed = ({ pages }: { readonly pages: number }): number => pages;

describe('the layout of the store', () => {
  it('puts prompts first, then the sequences part by part, and overlaps nothing', () => {
    const sequences = [5, 4, 2, 2, 1, 1, 1].map((pages, at) => sequenceOf(at < 3 ? long : short, pages));
    const layout = layOut(sequences, needed);
    expect(layout.contextPages).toBe(3);
    const places = placesIn(layout);
    expect([...places.keys()]).toEqual([long, short, ...sequences]);
    let end = 0;
    for (const [owner, { start, pages }] of places) {
      expect(start).toBe(end);
      expect(pages).toBeGreaterThanOrEqual('pages' in owner ? owner.pages : 1);
      end += pages;
    }
    expect(end).toBe(layout.pages);
    // Sequences of one part have places of one size, and a part is as wide as its longest only.
    expect(layout.parts.map(({ members, pages }) => [members.length, pages])).toEqual([
      [2, 5],
      [2, 2],
      [1, 1],
      [2, 1],
    ]);
  });

  it('takes no more for what needs no more', () => {
    const sequences = [3, 2, 2, 1].map((pages) => sequenceOf(long, pages));
    const before = layOut(sequences, needed).pages;
    expect(layOut(sequences, (one) => needed(one) + 1).pages).toBeGreaterThan(before);
    expect(layOut(sequences.slice(1), needed).pages).toBeLessThan(before);
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
    const before = layOut([old, kept], needed);
    const after = layOut([kept], needed);
    const moves = movesBetween(before, after, () => 5, config);
    // The prompt stays; the sequence takes the place behind it, a page a group.
    const [from, to] = [placesIn(before).get(kept)!, placesIn(after).get(kept)!];
    expect([...moves.from]).toEqual([2 * from.start, 2 * from.start + from.pages]);
    expect([...moves.to]).toEqual([2 * to.start, 2 * to.start + to.pages]);
    expect(movesBetween(before, before, () => 5, config).from).toHaveLength(0);
  });
});
