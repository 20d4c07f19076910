import type { ResponseSampler, SampledResponses, SamplingRequest } from '@metaapo/core/contracts';
import { describe, expect, it } from 'vitest';
import { describeSampler } from '../src/index.js';
import { faultsOf } from './faults.js';

/** Writes numbers that its seed and the sample's place give. */
function answer({ row, count, seed }: SamplingRequest): SampledResponses {
  const responses = Array.from({ length: count }, (_, at) => {
    const number = seed * 100 + at;
    return { text: `${number}`, tokens: Int32Array.of(number), finishReason: 'stop' as const };
  });
  return { row, responses };
}

async function* sample(requests: readonly SamplingRequest[], signal?: AbortSignal): AsyncIterable<SampledResponses> {
  signal?.throwIfAborted();
  for (const request of requests) yield answer(request);
}

const SOUND: ResponseSampler = { id: 'sound', options: Object.freeze({}), sample };

/** The sound sampler with its answers changed. */
const altered =
  (alter: (answers: SampledResponses[]) => SampledResponses[]): (() => ResponseSampler) =>
  () => ({
    ...SOUND,
    async *sample(requests, signal) {
      signal?.throwIfAborted();
      yield* alter(requests.map(answer));
    },
  });

const edited = (edit: (response: SampledResponses['responses'][number]) => object): (() => ResponseSampler) =>
  altered((answers) =>
    answers.map(({ row, responses }) => ({
      row,
      responses: responses.map((response) => ({ ...response, ...edit(response) })),
    })),
  );

const MUTANTS: readonly (readonly [name: string, create: () => ResponseSampler, fault: RegExp])[] = [
  ['a row that is left out', altered((answers) => answers.slice(1)), /does not answer row 4/],
  ['a row that is answered twice', altered((answers) => [...answers, ...answers.slice(0, 1)]), /answers row 4 2 times/],
  [
    'places in place of rows',
    altered((answers) => answers.map((given, row) => ({ ...given, row }))),
    /which was not asked/,
  ],
  [
    'one response too few',
    altered((answers) => answers.map(({ row, responses }) => ({ row, responses: responses.slice(1) }))),
    /responses for row \d, which wants/,
  ],
  ['text without tokens', edited(() => ({ tokens: new Int32Array(0) })), /has text and no token/],
  ['tokens in a plain array', edited(({ tokens }) => ({ tokens: [...tokens] })), /tokens that are no Int32Array/],
  ['a finish reason of another API', edited(() => ({ finishReason: 'eos_token' })), /finish reason "eos_token"/],
  [
    'chance without a seed',
    edited(({ text }) => ({ text: `${text} ${Math.random()}` })),
    /other responses the second time/,
  ],
  [
    'seeds that go by place',
    altered((answers) =>
      answers.map(({ row, responses }, at) => ({
        row,
        responses: responses.map((r) => ({ ...r, text: `${r.text} ${at}` })),
      })),
    ),
    /other responses/,
  ],
  [
    'no heed of the signal',
    () => ({ ...SOUND, sample: (requests) => sample(requests) }),
    /under an aborted signal it answers/,
  ],
  [
    'a quiet end when aborted',
    () => ({
      ...SOUND,
      async *sample(requests, signal) {
        if (!signal?.aborted) yield* sample(requests);
      },
    }),
    /ends as if all were answered/,
  ],
];

describe('the kit for samplers', () => {
  it('passes a sound sampler', async () => {
    expect(await faultsOf((test) => describeSampler(test, () => SOUND))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeSampler(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
