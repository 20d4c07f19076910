import {
  type PairOutcome,
  type PairRule,
  pairsOf,
  type ResponsePair,
  type ScoredResponse,
} from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describePairRule } from '../src/index.js';
import { faultsOf } from './faults.js';

const ranked = (responses: readonly ScoredResponse[]): ScoredResponse[] =>
  [...responses].sort((a, b) => b.reward - a.reward);

const SOUND: PairRule = {
  id: 'sound',
  options: Object.freeze({}),
  pair(responses) {
    if (responses.length < 2) return { reason: 'too-few' };
    const [chosen, rejected] = [ranked(responses)[0]!, ranked(responses).at(-1)!];
    if (chosen.reward === rejected.reward) return { reason: 'tie' };
    return chosen.text === rejected.text ? { reason: 'duplicates' } : { chosen, rejected };
  },
};

const OFFLINE: PairRule = {
  ...SOUND,
  readsOffline: true,
  pair: (responses, uniform, offline) =>
    offline === undefined || responses.length === 0
      ? { reason: 'too-few' }
      : SOUND.pair([ranked(responses)[0]!, offline], uniform),
};

const rule =
  (fault: Partial<PairRule>): (() => PairRule) =>
  () => ({ ...SOUND, ...fault });

/** An outcome with another pair. */
const changed = (outcome: PairOutcome, change: (pair: ResponsePair) => ResponsePair): PairOutcome =>
  'reason' in outcome ? outcome : change(pairsOf(outcome)[0]!);

/** The best over every other, each a pair. */
const OVER_ALL: PairRule = {
  ...SOUND,
  pair(responses, uniform) {
    const outcome = SOUND.pair(responses, uniform);
    if ('reason' in outcome) return outcome;
    const [chosen, ...others] = ranked(responses);
    return { pairs: others.map((rejected) => ({ chosen: chosen!, rejected })) };
  },
};

/** Pairs of the extremes without a look at what they are. */
const careless: PairRule['pair'] = (responses) =>
  responses.length < 2 ? { reason: 'too-few' } : { chosen: ranked(responses)[0]!, rejected: ranked(responses).at(-1)! };

const MUTANTS: readonly (readonly [name: string, create: () => PairRule, fault: RegExp])[] = [
  ['pairs of ties and duplicates', rule({ pair: careless }), /of equal rewards it makes .* expected the reason tie/],
  [
    'a pair of one response',
    rule({ pair: (r, u) => (r.length === 1 ? { chosen: r[0]!, rejected: r[0]! } : SOUND.pair(r, u)) }),
    /of one response it makes/,
  ],
  [
    'a response of its own',
    rule({
      pair(r, u) {
        return changed(SOUND.pair(r, u), ({ chosen, rejected }) => ({ chosen, rejected: { ...rejected } }));
      },
    }),
    /expected two that were given/,
  ],
  [
    'the worst over the best',
    rule({
      pair(r, u) {
        return changed(SOUND.pair(r, u), ({ chosen, rejected }) => ({ chosen: rejected, rejected: chosen }));
      },
    }),
    /prefers the reward -1 over 0.9/,
  ],
  [
    'the first over the last',
    rule({
      pair(r, u) {
        const outcome = SOUND.pair(r, u);
        return 'reason' in outcome ? outcome : { chosen: r[0]!, rejected: r.at(-1)! };
      },
    }),
    /the order of the responses matters/,
  ],
  [
    'sorting in place',
    rule({
      pair(r, u) {
        (r as ScoredResponse[]).sort((a, b) => b.reward - a.reward);
        return SOUND.pair(r, u);
      },
    }),
    /changes its responses/,
  ],
  ['an empty list of pairs', rule({ pair: () => ({ pairs: [] }) }), /an empty list of pairs/],
  [
    'a worse over a better one in a list',
    rule({
      pair(r, u) {
        const outcome = OVER_ALL.pair(r, u);
        const [first, second] = pairsOf(outcome);
        return second === undefined
          ? outcome
          : { pairs: [first!, { chosen: second.rejected, rejected: second.chosen }] };
      },
    }),
    /prefers the reward/,
  ],
  ['an undeclared offline response', rule({ pair: OFFLINE.pair }), /does not declare readsOffline/],
  ['a declaration that is not kept', rule({ readsOffline: true }), /declares readsOffline, yet/],
  ['open options', rule({ options: { n: 1 } }), /options is not frozen/],
];

describe('the kit for pair rules', () => {
  it.each([SOUND, OFFLINE, OVER_ALL])('passes a sound pair rule', async (sound) => {
    expect(await faultsOf((test) => describePairRule(test, () => sound))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describePairRule(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
