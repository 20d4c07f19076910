import type { PartContext, SelectionCandidates, SelectionRule } from '@metaapo/core/contracts';
import { checkPlugin, SELECTION_RULE, slotName } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import { describe, expect, it } from 'vitest';
import plugin, { all, budget, meta, none, random, threshold } from '../index.js';

const ROWS = 2000;

/** Rows of iteration 1, with weights spread over [0, 1). */
function candidates(limit?: number, rows: readonly number[] = [...Array(ROWS).keys()]): SelectionCandidates {
  const weightOf = (row: number): number => uniformOf(['test weight', row]);
  return {
    rows: Int32Array.from(rows),
    scores: Float32Array.from(rows, (row) => 10 * weightOf(row) - 5),
    weights: Float32Array.from(rows, weightOf),
    uniforms: Float64Array.from(rows, (row) => uniformOf(['test draw', 0, 1, row])),
    limit,
  };
}

/** Four rows worked by hand. */
const byHand = (limit?: number): SelectionCandidates => ({
  rows: Int32Array.of(7, 8, 9, 10),
  scores: new Float32Array(4),
  weights: Float32Array.of(0.25, 0.75, 0.5, 0.125),
  uniforms: Float64Array.of(0.5, 0.25, 0.5, 0.875),
  limit,
});

const rules: readonly SelectionRule[] = [
  meta(),
  threshold({ minWeight: 0.4 }),
  budget({ share: 0.58 }),
  random({ share: 0.42 }),
  all(),
  none(),
];

describe.each(rules.map((rule) => [rule.id, rule] as const))('selection rule %s', (_, rule) => {
  it('gives indices in ascending order, each once, inside the slice', () => {
    const selected = [...rule.select(candidates())];
    expect(selected).toEqual([...new Set(selected)].sort((a, b) => a - b));
    expect(selected.every((at) => at >= 0 && at < ROWS)).toBe(true);
  });

  it('keeps to a limit, and selects under it only rows that it selects without', () => {
    const free = new Set(rule.select(candidates()));
    for (const limit of [0, 1, 37, ROWS]) {
      const selected = rule.select(candidates(limit));
      expect(selected.length).toBe(Math.min(limit, free.size));
      expect([...selected].every((at) => free.has(at))).toBe(true);
    }
  });

  it('selects the same rows when they arrive in the opposite order', () => {
    const rows = [...Array(ROWS).keys()].reverse();
    for (const limit of [undefined, 37]) {
      const reversed = [...rule.select(candidates(limit, rows))].map((at) => rows[at]!).reverse();
      expect(reversed).toEqual([...rule.select(candidates(limit))]);
    }
  });

  it('leaves its candidates as they were and selects nothing from an empty slice', () => {
    const given = candidates(5);
    rule.select(given);
    expect(given).toEqual(candidates(5));
    expect(rule.select(candidates(undefined, [])).length).toBe(0);
  });

  it('has frozen, serialisable options', () => {
    expect(Object.isFrozen(rule.options)).toBe(true);
    expect(JSON.parse(JSON.stringify(rule.options))).toEqual(rule.options);
  });
});

describe('meta', () => {
  it('selects rows with u above w, and those with the largest (u - w) / (1 - w) under a limit', () => {
    expect([...meta().select(byHand())]).toEqual([0, 3]);
    expect([...meta().select(byHand(1))]).toEqual([3]);
  });

  it('thins out selected rows evenly under a limit, whatever their weight', () => {
    const given = candidates();
    const low = (at: number): boolean => given.weights[at]! < 0.5;
    const shareOfLow = (limit?: number): number => {
      const selected = [...meta().select({ ...given, limit })];
      return selected.filter(low).length / selected.length;
    };
    expect(shareOfLow()).toBeCloseTo(0.75, 1);
    expect(shareOfLow(400)).toBeCloseTo(shareOfLow(), 1);
  });

  it('does not select a row whose draw equals its weight', () => {
    const equal = { ...byHand(), weights: Float32Array.of(0.5, 0.25, 0.5, 0.875) };
    expect(meta().select(equal).length).toBe(0);
  });

  it('selects a row with a frequency of 1 - w', () => {
    const given = { ...candidates(), weights: new Float32Array(ROWS).fill(0.3) };
    expect(meta().select(given).length / ROWS).toBeCloseTo(0.7, 1);
  });
});

describe('threshold', () => {
  it('selects rows below the bound, and those with the smallest weight under a limit', () => {
    expect([...threshold({ minWeight: 0.5 }).select(byHand())]).toEqual([0, 3]);
    expect([...threshold({ minWeight: 0.5 }).select(byHand(1))]).toEqual([3]);
  });
});

describe('budget', () => {
  it('selects as many rows as the share allows, those of lowest weight', () => {
    expect([...budget({ share: 0.74 }).select(byHand())]).toEqual([0, 3]);
    expect([...budget({ share: 0.75 }).select(byHand())]).toEqual([0, 2, 3]);
    expect(budget({ share: 0.58 }).select(candidates()).length).toBe(1160);
  });

  it('goes by the draw, not by the order of rows, where weights are equal', () => {
    const equal = { ...byHand(), weights: new Float32Array(4).fill(0.5) };
    expect([...budget({ share: 0.25 }).select(equal)]).toEqual([3]);
  });
});

describe('random', () => {
  it('selects what meta selects under the constant weight 1 - share', () => {
    const constant = { ...candidates(), weights: new Float32Array(ROWS).fill(0.75) };
    expect(random({ share: 0.25 }).select(candidates())).toEqual(meta().select(constant));
  });

  it('selects every row at share 1 and none at share 0', () => {
    expect(random({ share: 1 }).select(candidates()).length).toBe(ROWS);
    expect(random({ share: 0 }).select(candidates()).length).toBe(0);
  });
});

describe('weights that are no shares', () => {
  const broken = { ...byHand(), weights: Float32Array.of(0.5, Number.NaN, 0.5, 0.5) };

  it.each([meta(), threshold(), budget({ share: 0.5 })])('stop a rule that reads them, naming the row', (rule) => {
    expect(() => rule.select(broken)).toThrowError(expect.objectContaining({ code: 'numerics' }));
    expect(() => rule.select(broken)).toThrow(/row 8/);
  });

  it.each([random(), all(), none()])('do not matter to a rule that reads no scores', (rule) => {
    expect(rule.readsScores).toBe(false);
    expect(() => rule.select(broken)).not.toThrow();
  });
});

describe('plugin', () => {
  const context: PartContext = { baseDirectory: '.', report: () => undefined, env: {} };
  const ruleParts = plugin.parts.filter((part) => part.slot === SELECTION_RULE);

  it('registers all six selection rules under their slot', () => {
    expect(() => checkPlugin(plugin)).not.toThrow();
    expect(slotName(SELECTION_RULE)).toBe('selection-rule');
    expect(ruleParts.map((part) => part.id)).toEqual(['meta', 'threshold', 'budget', 'random', 'all', 'none']);
  });

  it.each(rules.map((rule) => [rule.id, rule] as const))('makes the same %s as its factory', async (id, rule) => {
    const part = ruleParts.find((candidate) => candidate.id === id)!;
    const checked = await part.options['~standard'].validate(rule.options);
    expect(checked.issues).toBeUndefined();
    const made = await part.create(rule.options, context);
    expect(made.options).toEqual(rule.options);
    expect(made.select(candidates(100))).toEqual(rule.select(candidates(100)));
  });

  it('refuses a share above 1, an option that a rule does not have, and a budget without a share', () => {
    const config = expect.objectContaining({ code: 'config' });
    expect(() => random({ share: 1.5 })).toThrowError(config);
    expect(() => threshold({ minweight: 0.5 } as never)).toThrowError(config);
    expect(() => all({ share: 1 } as never)).toThrowError(config);
    expect(() => budget({} as never)).toThrow(/selection rule budget share/);
  });
});
