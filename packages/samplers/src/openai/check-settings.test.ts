import { describe, expect, it } from 'vitest';
import { type DrawingFaults, drawingServer } from '../../test/drawing-server.js';
import { type Given, request, samplerOf } from '../../test/sampling.js';

const REQUESTS = [1, 2, 3, 4].map((row) => request(row, 4));

/** Looks at a server with these faults. */
async function looked(faults: DrawingFaults, options: Given = {}) {
  const { url, seen } = await drawingServer({ ...faults, ...(faults.ignores?.includes('n') && { own: { n: 4 } }) });
  const lines: string[] = [];
  const sampler = samplerOf([url], { retries: 0, maxNewTokens: 24, ...options }, { lines });
  const looking = sampler.checkSettings!(REQUESTS);
  return { url, seen, lines, looking, sampler };
}

describe('a server that does what requests say', () => {
  it('passes without a word, with what it drew from the model as it is', async () => {
    const { url, looking, lines, seen } = await looked(
      {},
      { temperature: 0.7, topK: 5, topP: 0.9, minP: 0.05, stop: ['ab'] },
    );
    const [found, ...others] = await looking;
    expect([found!.server, others, lines.slice(1)]).toEqual([url, [], []]);
    expect(found!.draws).toHaveLength(2 + 2 + 4 * 4);
    expect(found!.draws.every(({ tokens }) => tokens.length === 16)).toBe(true);
    expect(seen.every(({ body }) => (body.max_tokens as number) <= 16)).toBe(true);
  });

  it('is not asked again for what the recipe’s own entries decide', async () => {
    const { looking, lines, seen } = await looked(
      { ignores: ['top_k'], own: { top_k: 3 } },
      { extraBody: { top_k: 3 } },
    );
    await looking;
    expect(lines.slice(1)).toEqual([]);
    expect(new Set(seen.map(({ body }) => body.top_k))).toEqual(new Set([3]));
  });

  it('is looked at alone, beside others', async () => {
    const [right, wrong] = [await drawingServer(), await drawingServer({ ignores: ['temperature'] })];
    const sampler = samplerOf([right.url, wrong.url]);
    await expect(sampler.checkSettings!(REQUESTS)).rejects.toThrow(`sampler openai at ${wrong.url}: `);
  });
});

describe('a server that ignores what the recipe decides is an error', () => {
  it.each<[string, Given, DrawingFaults['own']]>([
    ['temperature', { temperature: 0.7 }, { temperature: 1 }],
    ['temperature', {}, { temperature: 0.7 }],
    ['top_k', { topK: 5 }, {}],
    ['top_p', { topP: 0.9 }, {}],
    ['min_p', { minP: 0.1 }, {}],
  ])('%s, %o', async (name, options, own) => {
    const { looking } = await looked({ ignores: [name], own: own! }, options);
    await expect(looking).rejects.toThrow(
      new RegExp(`the server ignores ${name}\\. Expected ${name} \\S+ to give the likeliest response.*; got another`),
    );
  });

  it('max_tokens', async () => {
    const { looking } = await looked({ ignores: ['max_tokens'] });
    await expect(looking).rejects.toThrow(
      /ignores max_tokens\. Expected responses that max_tokens 16 cuts; got 39 tokens/,
    );
  });

  it.each<[string, DrawingFaults]>([
    ['takes the likeliest token always', { ignores: ['temperature'], own: { temperature: 0 } }],
    ['has one seed', { ignores: ['seed'], own: { seed: 3 } }],
  ])('that %s', async (_, faults) => {
    const { looking } = await looked(faults);
    await expect(looking).rejects.toThrow(/does not draw its responses\..*got the same response to each of 2 prompts/);
  });
});

it('says that a server may not draw, where no log-probabilities tell', async () => {
  const { looking, lines } = await looked({ ignores: ['temperature'], own: { temperature: 0 }, isSilent: true });
  await looking;
  expect(lines.slice(1)).toEqual([expect.stringMatching(/same response whatever the seed.*see whether it samples/)]);
});

it.each(['temperature', 'max_tokens'])('says that %s is ignored where no log-probabilities are given', async (name) => {
  const { looking, lines } = await looked({ ignores: [name], isSilent: true });
  await looking;
  expect(lines.slice(1)).toEqual([expect.stringMatching(new RegExp(`ignores ${name}\\. Expected .*; got `))]);
});

describe('a server that ignores what the recipe leaves as it is', () => {
  it.each<[string, DrawingFaults['own']]>([
    ['top_k', { top_k: 4 }],
    ['top_p', { top_p: 0.8 }],
    ['min_p', { min_p: 0.1 }],
    ['repetition_penalty', { repetition_penalty: 1.1 }],
  ])('is named with %s', async (name, own) => {
    const { looking, lines } = await looked({ ignores: [name], own: own! });
    await looking;
    expect(lines.slice(1)).toEqual([
      `sampler openai: the server ignores ${name}: its own setting holds, and may change what is drawn`,
    ]);
  });

  it('draws anew where it ignores seeds, which is said', async () => {
    const { looking, lines } = await looked({ ignores: ['seed'] });
    await looking;
    expect(lines.slice(1)).toEqual([expect.stringMatching(/ignores seed, or does not compute the same twice/)]);
  });

  it('is asked for each response alone where n gives copies', async () => {
    const { looking, lines, sampler, seen } = await looked({ ignores: ['n'] });
    await looking;
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/gives the same response n times; each response is asked for/),
    ]);
    for await (const { responses } of sampler.sample([request(9, 3)])) {
      expect(new Set(responses.map(({ text }) => text)).size).toBe(3);
    }
    expect(seen.slice(-3).every(({ body }) => body.n === undefined)).toBe(true);
  });

  it('is said to cost what it writes behind a stop text', async () => {
    const { looking, lines } = await looked({ ignores: ['stop'] }, { stop: ['ab'] });
    await looking;
    expect(lines.slice(1)).toEqual([expect.stringMatching(/ignores stop: .* is paid for/)]);
  });
});

it('is not offered where the probe is turned off', () => {
  expect(samplerOf(['http://localhost:1/v1'], { probe: false }).checkSettings).toBeUndefined();
});
