import { MetaapoError, type SelectionCandidates, type SelectionRule } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeSelectionRule } from '../src/index.js';
import { faultsOf } from './faults.js';

/** Selects u > w, of these the first by row number up to the limit: a rule with nothing wrong. */
function select({ rows, weights, uniforms, limit = Number.POSITIVE_INFINITY }: SelectionCandidates): Int32Array {
  if (weights.some(Number.isNaN)) throw new MetaapoError('numerics', 'a weight is not a number', { where: 'sound' });
  const wanted = [...rows.keys()].filter((at) => uniforms[at]! > weights[at]!);
  const first = wanted.sort((a, b) => rows[a]! - rows[b]!).slice(0, limit);
  return Int32Array.from(first).sort();
}

const SOUND: SelectionRule = { id: 'sound', options: Object.freeze({}), readsScores: true, select };

const broken =
  (fault: Partial<SelectionRule>): (() => SelectionRule) =>
  () => ({ ...SOUND, ...fault });

const MUTANTS: readonly (readonly [name: string, create: () => SelectionRule, fault: RegExp])[] = [
  [
    'row numbers in place of indices',
    broken({ select: (c) => select(c).map((at) => c.rows[at]!) }),
    /lies outside of the candidates/,
  ],
  [
    'an index twice',
    broken({ select: (c) => Int32Array.from([...select(c), ...select(c)]).sort() }),
    /is selected twice/,
  ],
  ['indices in falling order', broken({ select: (c) => select(c).reverse() }), /not ascending/],
  ['a plain array', broken({ select: (c) => [...select(c)] as never }), /no Int32Array/],
  ['no heed of the limit', broken({ select: (c) => select({ ...c, limit: undefined }) }), /under a limit of 0/],
  [
    'a limit of 0 taken for none',
    broken({ select: (c) => select({ ...c, limit: c.limit || undefined }) }),
    /rows under a limit of 0/,
  ],
  [
    'whoever comes first',
    broken({ select: (c) => Int32Array.from(select({ ...c, limit: undefined }).slice(0, c.limit)) }),
    /order of the rows matters/,
  ],
  [
    'draws of its own',
    broken({ select: (c) => select({ ...c, uniforms: c.uniforms.map(() => Math.random()) }) }),
    /order of the rows matters|the second time/,
  ],
  [
    'a change of its candidates',
    broken({
      select: (c) => {
        const chosen = select(c);
        c.weights.fill(0);
        return chosen;
      },
    }),
    /changes weights/,
  ],
  [
    'NaN weights that are taken',
    broken({ select: (c) => select({ ...c, weights: c.weights.map((w) => w || 0) }) }),
    /accepts a weight NaN/,
  ],
  [
    'scores that are read though declared unread',
    broken({ readsScores: false, select: (c) => select({ ...c, weights: c.weights.map((w) => w || 0) }) }),
    /declares readsScores false/,
  ],
];

describe('the kit for selection rules', () => {
  it('passes a sound rule', async () => {
    expect(await faultsOf((test) => describeSelectionRule(test, () => SOUND))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeSelectionRule(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
