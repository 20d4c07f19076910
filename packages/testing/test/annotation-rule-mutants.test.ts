import type { AnnotationCandidates, AnnotationRequest, AnnotationRule, RewardModel } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeAnnotationRule } from '../src/index.js';
import { faultsOf } from './faults.js';

const missing = ({ responses }: AnnotationCandidates): AnnotationRequest[] =>
  responses.flatMap(({ reward }, response) => (reward === undefined ? [{ response }] : []));

const SOUND: AnnotationRule = { id: 'sound', options: Object.freeze({}), next: missing };

const cheap: RewardModel = {
  id: 'cheap',
  options: {},
  fingerprint: 'cheap',
  score: async (requests) => new Float32Array(requests.length),
};

const CHEAP: AnnotationRule = {
  ...SOUND,
  scorers: { cheap },
  next: ({ responses }) =>
    responses.flatMap(({ otherRewards }, response) =>
      otherRewards.cheap === undefined ? [{ response, scorer: 'cheap' }] : [],
    ),
  rewards: ({ responses }) => responses.map(({ otherRewards }) => otherRewards.cheap),
};

const rule =
  (fault: Partial<AnnotationRule>): (() => AnnotationRule) =>
  () => ({ ...SOUND, ...fault });

const MUTANTS: readonly (readonly [name: string, create: () => AnnotationRule, fault: RegExp])[] = [
  [
    'rewards that it was given',
    rule({ next: ({ responses }) => responses.map((_, response) => ({ response })) }),
    /which it was given before/,
  ],
  [
    'unreadable rewards again and again',
    rule({
      next: ({ responses }) =>
        missing({ ...NOTHING, responses: responses.map((one) => ({ ...one, reward: one.reward || undefined })) }),
    }),
    /which it was given before/,
  ],
  [
    'a response that there is not',
    rule({ next: (row) => missing(row).map(({ response }) => ({ response: response + 1 })) }),
    /expected one of/,
  ],
  ['a request twice', rule({ next: (row) => missing(row).flatMap((one) => [one, one]) }), /response 0 twice/],
  ['a scorer that it does not own', rule({ next: CHEAP.next }), /none of its scorers/],
  [
    'one reward alone',
    rule({ next: (row) => (row.responses.some(({ reward }) => reward !== undefined) ? [] : missing(row).slice(0, 1)) }),
    /1 responses that differ/,
  ],
  [
    'no offline response',
    rule({ next: (row) => missing(row).filter(({ response }) => row.responses[response]!.source !== 'offline') }),
    /an offline response that has no reward/,
  ],
  ['undeclared rounds', rule({ next: (row) => missing(row).slice(0, 2) }), /does not declare scoresInRounds, yet/],
  [
    'undeclared log-probabilities',
    rule({ next: (row) => missing(row).sort((a, b) => sumOf(row, a) - sumOf(row, b)) }),
    /does not declare readsLogprobs, yet/,
  ],
  ['rewards of its own', rule({ rewards: ({ responses }) => responses.map((_, at) => at) }), /which no scorer gave/],
  [
    'rewards of two scorers in a row',
    () => ({
      ...CHEAP,
      next: (row) => [...CHEAP.next(row), ...missing(row)],
      rewards: ({ responses }) =>
        responses.map(({ reward, otherRewards }, at) => (at % 2 === 0 ? reward : otherRewards.cheap)),
    }),
    /which no scorer gave/,
  ],
  ['too few rewards', rule({ rewards: () => [] }), /0 rewards for/],
  [
    'a state of its own',
    () => {
      let asked = 0;
      return { ...SOUND, next: (row) => (asked++ % 2 === 0 ? missing(row) : missing(row).reverse()) };
    },
    /and later for/,
  ],
  [
    'changed candidates',
    rule({
      next(row) {
        row.responses[0]?.tokens.fill(0);
        return missing(row);
      },
    }),
    /changes its candidates/,
  ],
  ['open options', rule({ options: { n: 1 } }), /options is not frozen/],
];

const NOTHING: AnnotationCandidates = { row: 0, responses: [], uniform: 0 };

const sumOf = ({ responses }: AnnotationCandidates, { response }: AnnotationRequest): number =>
  responses[response]!.logprobs?.[0] ?? 0;

describe('the kit for annotation rules', () => {
  it.each([SOUND, CHEAP])('passes a sound annotation rule', async (sound) => {
    expect(await faultsOf((test) => describeAnnotationRule(test, () => sound))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeAnnotationRule(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
