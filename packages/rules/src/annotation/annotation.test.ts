import type {
  AnnotationCandidate,
  AnnotationCandidates,
  AnnotationRule,
  PartContext,
  RewardModel,
} from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { adaptive } from './adaptive.js';
import { cascade, cascadePart } from './cascade.js';
import { uncertainPair, uncertainPairPart } from './uncertain-pair.js';

const said = (text: string, more: Partial<AnnotationCandidate> = {}): AnnotationCandidate => ({
  text,
  tokens: Int32Array.of(1, 2),
  finishReason: 'stop',
  source: 'policy',
  otherRewards: {},
  ...more,
});
const row = (responses: readonly AnnotationCandidate[]): AnnotationCandidates => ({ row: 3, responses, uniform: 0 });

/** Rounds of responses that a rule has scored, `cheap:1` where by a scorer, when all rewards are these. */
function roundsOf(
  rule: AnnotationRule,
  responses: readonly AnnotationCandidate[],
  rewards: readonly number[],
  other: Readonly<Record<string, readonly number[]>> = {},
) {
  let known = responses;
  const rounds: string[] = [];
  for (let next = rule.next(row(known)); next.length > 0; next = rule.next(row(known))) {
    rounds.push(next.map(({ response, scorer }) => `${scorer === undefined ? '' : `${scorer}:`}${response}`).join(' '));
    for (const { response, scorer } of next) {
      known = known.map((one, at) => {
        if (at !== response) return one;
        if (scorer === undefined) return { ...one, reward: rewards[at]! };
        return { ...one, otherRewards: { ...one.otherRewards, [scorer]: other[scorer]![at]! } };
      });
    }
  }
  return { rounds, rewards: rule.rewards?.(row(known)) ?? known.map(({ reward }) => reward) };
}

const four = [said('a'), said('b'), said('c'), said('d')];

describe('adaptive', () => {
  it('stops where the best and the worst lie far enough apart', () => {
    expect(roundsOf(adaptive({ spread: 1 }), four, [0, 1, 5, 9])).toEqual({
      rounds: ['0 1'],
      rewards: [0, 1, undefined, undefined],
    });
    expect(roundsOf(adaptive({ spread: 1 }), four, [0, 0.5, 0.75, 9]).rounds).toEqual(['0 1', '2', '3']);
  });

  it('scores all where that never happens, no more than allowed, and counts what cannot be read', () => {
    expect(roundsOf(adaptive({ spread: 1, first: 3 }), four, [0, 0, 0, 0]).rounds).toEqual(['0 1 2', '3']);
    expect(roundsOf(adaptive({ spread: 1, atMost: 3 }), four, [0, 0, 0, 9]).rounds).toEqual(['0 1', '2']);
    expect(roundsOf(adaptive({ spread: 1, step: 2 }), four, [Number.NaN, 2, 2, 2]).rounds).toEqual(['0 1', '2 3']);
  });

  it('scores an offline response with the first, which does not count as one of them', () => {
    const given = [...four, said('offline', { source: 'offline' })];
    expect(roundsOf(adaptive({ spread: 1, atMost: 3 }), given, [0, 0, 0, 0, 0]).rounds).toEqual(['0 1 4', '2']);
  });

  it('refuses options out of bounds', () => {
    expect(() => adaptive({ spread: 0 })).toThrow(/annotation rule adaptive spread/);
  });
});

/** A reward model that is never asked here; whether it was disposed. */
function scorer(id: string): RewardModel & { isDisposed: boolean } {
  return {
    id,
    options: {},
    fingerprint: id,
    isDisposed: false,
    score: () => Promise.reject(new Error('it is not asked')),
    dispose() {
      this.isDisposed = true;
    },
  };
}

describe('cascade', () => {
  it('asks the own reward model only where the cheap one is not clear, and counts the rewards of one of them', () => {
    const rule = cascade(scorer('cheap'), { clearBy: 0.5 });
    expect(roundsOf(rule, four.slice(0, 2), [7, 8], { first: [0, 1] })).toEqual({
      rounds: ['first:0 first:1'],
      rewards: [0, 1],
    });
    expect(roundsOf(rule, four.slice(0, 2), [7, 8], { first: [0, 0.25] })).toEqual({
      rounds: ['first:0 first:1', '0 1'],
      rewards: [7, 8],
    });
    const unread = { first: [Number.NaN, 4] };
    expect(roundsOf(rule, four.slice(0, 2), [7, 8], unread).rewards).toEqual([7, 8]);
  });

  it('makes its reward model of the recipe, and disposes it', async () => {
    const cheap = scorer('length');
    const context = { makePart: async () => cheap } as unknown as PartContext;
    const rule = await cascadePart.create({ first: { id: 'length' }, clearBy: 1 }, context);
    expect(rule.scorers).toEqual({ first: cheap });
    await rule.dispose?.();
    expect(cheap.isDisposed).toBe(true);
  });
});

const logprobs = (...values: readonly number[]) => ({ logprobs: Float32Array.from(values) });

describe('uncertain-pair', () => {
  it('scores the two whose mean log-probabilities lie closest', () => {
    const given = [
      said('a', logprobs(-1, -3)),
      said('b', logprobs(-0.5, Number.NaN)),
      said('c', logprobs(-1.75, -2.5)),
      said('d', logprobs(-5, -5)),
    ];
    expect(roundsOf(uncertainPair(), given, [0, 1, 2, 3]).rounds).toEqual(['0 2']);
  });

  it('never pairs equal texts, nor responses of different models', () => {
    const given = [
      said('a', logprobs(-1)),
      said('a', logprobs(-1)),
      said('b', { ...logprobs(-1), source: 'reference' }),
      said('c', logprobs(-4)),
    ];
    expect(roundsOf(uncertainPair(), given, [0, 1, 2, 3]).rounds).toEqual(['0 3']);
    expect(roundsOf(uncertainPair(), given.slice(0, 2), [0, 1]).rounds).toEqual(['0']);
  });

  it('refuses responses without log-probabilities', () => {
    expect(() => uncertainPair().next(row(four))).toThrow(/row 3: .*without log-probabilities.*list scorers/);
  });

  it('scores the two that its scorers disagree about, then those whose margins cancel', () => {
    const rule = uncertainPair([scorer('one'), scorer('two')]);
    expect(Object.keys(rule.scorers!)).toEqual(['1-one', '2-two']);
    const agreed = { '1-one': [0, 1, 2, 9], '2-two': [0, 2, 1, 9] };
    expect(roundsOf(rule, four, [0, 0, 0, 0], agreed).rounds.at(-1)).toBe('1 2');
    // Margins in standard deviations: 2.16 and 0.41. First over second -0.46 + 2.45, first over third -2.31 + 1.22.
    const cancelling = { '1-one': [0, 1, 5], '2-two': [1, 0, 0.5] };
    expect(roundsOf(rule, four.slice(0, 3), [0, 0, 0], cancelling).rounds.at(-1)).toBe('0 2');
  });

  it('disposes what was made when a later scorer cannot be', async () => {
    const made = scorer('one');
    const makePart = ({ id }: { readonly id: string }) =>
      id === 'one' ? Promise.resolve(made) : Promise.reject(new Error('unknown'));
    const context = { makePart: (_: unknown, recipe: { readonly id: string }) => makePart(recipe) };
    const create = uncertainPairPart.create(
      { scorers: [{ id: 'one' }, { id: 'two' }] },
      context as unknown as PartContext,
    );
    await expect(create).rejects.toThrow('unknown');
    expect(made.isDisposed).toBe(true);
  });
});
