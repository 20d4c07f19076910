import type { ResponseSampler, SampledResponses, SamplingRequest, ServerProbe } from '@metaapo/core/contracts';
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

const PROBED = { tokens: Int32Array.of(3, 1), logprobs: Float32Array.of(-0.5, 0) };

/** The sound sampler with a server whose probe is changed. */
const probing =
  (edit: { server?: unknown; response?: unknown }): (() => ResponseSampler) =>
  () => ({
    ...SOUND,
    async probe(_, signal) {
      signal?.throwIfAborted();
      return [{ server: 'one', response: PROBED, ...edit } as ServerProbe];
    },
  });

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
  [
    'log-probabilities of some of the tokens',
    edited(() => ({ logprobs: new Float32Array(0) })),
    /0 log-probabilities of 1 tokens/,
  ],
  ['probabilities', edited(() => ({ logprobs: Float32Array.of(0.5) })), /the log-probability 0\.5/],
  ['text without tokens', edited(() => ({ tokens: new Int32Array(0) })), /has text and no token/],
  ['an end without an id', edited(() => ({ text: '', tokens: new Int32Array(0) })), /has no token, not even an end/],
  [
    'a stop text that stays',
    () => ({ ...edited(() => ({ text: 'no END' }))(), options: Object.freeze({ stop: Object.freeze(['END']) }) }),
    /holds the stop text "END"/,
  ],
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
  ['a server without a name', probing({ server: '' }), /server "" has no name/],
  [
    'more log-probabilities than tokens',
    probing({ response: { ...PROBED, tokens: Int32Array.of(3) } }),
    /server "one" gives 2 log-probabilities of 1 tokens/,
  ],
  [
    'probabilities in place of their logarithms',
    probing({ response: { ...PROBED, logprobs: Float32Array.of(0.25, 0.5) } }),
    /gives the log-probability 0.25/,
  ],
  [
    'a log-probability that is no number',
    probing({ response: { ...PROBED, logprobs: Float32Array.of(-1, Number.NaN) } }),
    /gives the log-probability NaN/,
  ],
  [
    'a probe of nothing',
    probing({ response: { tokens: new Int32Array(0), logprobs: new Float32Array(0) } }),
    /log-probabilities of no token/,
  ],
  ['no servers', () => ({ ...SOUND, probe: async () => [] }), /no server to probe for row 4/],
  [
    'a probe without heed of the signal',
    () => ({ ...SOUND, probe: async () => [{ server: 'one' }] }),
    /under an aborted signal it probes/,
  ],
];

describe('the kit for samplers', () => {
  it.each([
    ['of this process', () => SOUND],
    ['with a server', probing({})],
    ['with a server that gives no log-probabilities', probing({ response: undefined })],
  ])('passes a sound sampler %s', async (_, create) => {
    expect(await faultsOf((test) => describeSampler(test, create))).toEqual(new Map());
  });

  it.each(MUTANTS)('catches %s', async (_, create, fault) => {
    const faults = await faultsOf((test) => describeSampler(test, create));
    expect([...faults.values()].join('\n')).toMatch(fault);
  });
});
