import { createJsonClient } from '@metaapo/core/http';
import { httpReward, judge } from '@metaapo/rewards';
import { openai } from '@metaapo/samplers';
import fc from 'fast-check';
import { characterPolicy } from '../../packages/samplers/test/character-policy.js';
import { drain, type FuzzTarget, jsonText, target } from './fuzz-target.js';
import { mutatedJson, mutatedJsonText, mutatedText } from './odd-inputs.js';

/** What a server answers. */
export interface Reply {
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string | Uint8Array | null;
}

/** Does some work while every request gets an answer of this process. */
export async function withReplies<Result>(
  answer: (address: string) => Reply,
  work: () => Promise<Result>,
): Promise<Result> {
  const { fetch } = globalThis;
  globalThis.fetch = async (address) => {
    const { status = 200, headers, body } = answer(String(address));
    return new Response(status === 204 || status === 304 ? null : (body as BodyInit), {
      status,
      headers: headers ?? {},
    });
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = fetch;
  }
}

const BASE = 'http://127.0.0.1:9/v1';
const once = { retries: 0, timeoutSeconds: 5 };
const statuses = fc.oneof(
  { weight: 8, arbitrary: fc.constant(200) },
  { weight: 1, arbitrary: fc.constantFrom(201, 204, 304, 307, 400, 401, 404, 422, 429, 500, 503) },
);
const retryAfter = fc.constantFrom('', '0', '1e999', '-5', 'Wed, 21 Oct 2015 07:28:00 GMT', 'NaN', '99999999999999');

const logprobs = {
  content: [
    { token: 'a', logprob: -0.5 },
    { token: 'token_id:98', logprob: -1, id: 98 },
  ],
};
const choice = {
  index: 0,
  finish_reason: 'stop',
  message: { role: 'assistant', content: 'ab' },
  logprobs,
  token_ids: [97, 98],
};
const REPLIES = [
  {
    choices: [choice, { ...choice, index: 1, finish_reason: 'length' }],
    model: 'policy',
    usage: { completion_tokens: 2 },
  },
  {
    choices: [
      { index: 0, text: 'ab', finish_reason: 'stop', logprobs: { tokens: ['a', 'b'], token_logprobs: [-1, -2] } },
    ],
  },
  { error: { message: 'too long', type: 'invalid_request_error', code: 400 } },
  { choices: [{ message: { content: [{ type: 'text', text: 'a' }], reasoning_content: 'r', tool_calls: [] } }] },
];
const replies = fc.oneof(...REPLIES.map(mutatedJsonText));

const events = [
  { choices: [{ index: 0, delta: { role: 'assistant', content: 'a' }, logprobs }] },
  { choices: [{ index: 1, delta: { content: 'b' }, finish_reason: null }] },
  {
    choices: [
      { index: 0, delta: {}, finish_reason: 'stop', token_ids: [97] },
      { index: 1, delta: {}, finish_reason: 'length' },
    ],
  },
];
const asStream = (values: readonly unknown[]): string =>
  `${values.map((value) => `data: ${jsonText(value)}\n\n`).join('')}data: [DONE]\n\n`;
const streams = fc.oneof(
  mutatedJson(events).map((value) => asStream(Array.isArray(value) ? value : [value])),
  mutatedText(asStream(events), [
    'data:',
    '\n\n',
    '\r',
    'event: error\n',
    ': comment\n',
    'id: 1\n',
    '[DONE]',
    'data: {"error": 1}\n\n',
  ]),
);

const requests = [
  {
    row: 1,
    prompt: Int32Array.of(65),
    messages: [{ role: 'user', content: 'a' }],
    text: 'a',
    count: 2,
    seed: 1,
    logprobs: true,
  },
];

async function sampleFrom(reply: Reply, stream: boolean, endpoint: 'chat' | 'completions'): Promise<void> {
  const options = { ...once, baseUrls: [BASE], model: 'policy', stream, endpoint, useN: true };
  await withReplies(
    () => reply,
    async () => {
      const sampler = openai(options, characterPolicy(), { env: {}, report: () => undefined });
      await drain(sampler.sample(requests));
      await sampler.probe?.(requests[0]!);
    },
  );
}

const VERDICTS = [
  'The answer is good.\n**Score: 7/10**\n',
  '<think>hm</think>\nWinner: A\n',
  '{"score": 8, "why": "x"}',
  '\\boxed{Rating (1-10): 7.5 out of 10}',
];
const verdicts = fc.oneof(
  ...VERDICTS.map((text) =>
    mutatedText(text, [
      'Score: ',
      'Winner: ',
      '<think>',
      '</think>',
      '**',
      '_',
      '<|',
      '|>',
      '\n',
      ' '.repeat(500),
      '_'.repeat(500),
      '9'.repeat(400),
      '\\boxed{',
    ]),
  ),
);
const judgements = fc.oneof(
  verdicts.map((content) => jsonText({ choices: [{ message: { content } }] })),
  mutatedJsonText({ choices: [{ message: { content: 'Score: 7' } }] }),
);
const asked = ['b', 'c'].map((response, row) => ({ row, prompt: 'a', response }));

async function judged(reply: Reply, mode: 'pointwise' | 'pairwise', pattern: string | undefined): Promise<void> {
  await withReplies(
    () => reply,
    async () => {
      const model = await judge(
        { ...once, mode, baseUrls: [BASE], model: 'm', ...(pattern !== undefined && { pattern }) },
        { env: {} },
      );
      await model.score(asked, new AbortController().signal, () => undefined);
    },
  );
}

/** What servers answer. */
export const REPLY_TARGETS: readonly FuzzTarget[] = [
  target('sampler-reply', fc.tuple(replies, statuses, retryAfter, fc.boolean()), ([body, status, after, isChat]) =>
    sampleFrom({ body, status, headers: { 'retry-after': after } }, false, isChat ? 'chat' : 'completions'),
  ),
  target('sampler-stream', fc.tuple(fc.oneof(streams, replies), statuses, fc.boolean()), ([body, status, isChat]) =>
    sampleFrom({ body, status }, true, isChat ? 'chat' : 'completions'),
  ),
  target(
    'judge-reply',
    fc.tuple(
      judgements,
      statuses,
      fc.constantFrom('pointwise' as const, 'pairwise' as const),
      fc.constantFrom(undefined, 'Score: (\\d+)'),
    ),
    ([body, status, mode, pattern]) => judged({ body, status }, mode, pattern),
  ),
  target(
    'http-reward-reply',
    fc.tuple(mutatedJsonText({ rewards: [0.5, null], scores: [1, 2] }), statuses),
    ([body, status]) =>
      withReplies(
        () => ({ body, status }),
        () => httpReward({ ...once, url: BASE }, { env: {} }).score(asked, new AbortController().signal),
      ),
  ),
  target(
    'bytes-reply',
    fc.tuple(
      fc.uint8Array({ maxLength: 200 }),
      statuses,
      fc.constantFrom('json' as const, 'text' as const, 'events' as const),
    ),
    ([body, status, reply]) =>
      withReplies(
        () => ({ body, status }),
        () =>
          createJsonClient({ ...once, service: 'service', baseUrl: BASE, concurrency: 1, reply, env: {} }).post('', {}),
      ),
  ),
];
