import { describe, expect, it } from 'vitest';
import { END_OF_TEXT, END_OF_TURN } from '../../test/character-policy.js';
import { all, only, request, served } from '../../test/sampling.js';

describe('token ids', () => {
  const text = 'Hi';
  const own = [72, 105];
  const message = { content: text };

  it('are those of the text, with the id that ends a turn or a text', async () => {
    const chat = await only({ finish_reason: 'stop', message });
    expect([chat.text, ...chat.tokens]).toEqual([text, ...own, END_OF_TURN]);
    const plain = await only({ finish_reason: 'stop', text }, request(1, 1, { messages: undefined }));
    expect([...plain.tokens]).toEqual([...own, END_OF_TEXT]);
    const empty = await only({ finish_reason: 'stop', message: { content: null } });
    expect([empty.text, ...empty.tokens]).toEqual(['', END_OF_TURN]);
  });

  it('have no end where the response was cut', async () => {
    const cut = await only({ finish_reason: 'length', message });
    expect([cut.finishReason, ...cut.tokens]).toEqual(['length', ...own]);
    const nothing = await only({ finish_reason: 'length', message: { content: '' } });
    expect(nothing).toEqual({ text: '', tokens: new Int32Array(), finishReason: 'length' });
  });

  it('are the server’s, where it sends them', async () => {
    const ended = await only({ finish_reason: 'stop', message, token_ids: [9, 8, END_OF_TEXT], stop_reason: null });
    expect([...ended.tokens]).toEqual([9, 8, END_OF_TEXT]);
    const open = await only({ finish_reason: 'stop', message, token_ids: [9, 8] });
    expect([...open.tokens]).toEqual([9, 8, END_OF_TURN]);
    const cut = await only({ finish_reason: 'length', message: { content: '' }, token_ids: [9, 8] });
    expect([cut.text, ...cut.tokens]).toEqual(['', 9, 8]);
  });

  it('are those of the text where a stop text ended it, which the server’s reach beyond', async () => {
    const choice = { finish_reason: 'stop', message, token_ids: [72, 105, 33, 33], stop_reason: '!!' };
    expect([...(await only(choice)).tokens]).toEqual([...own, END_OF_TURN]);
  });

  it('end before a stop text that the server leaves in', async () => {
    const choice = { finish_reason: 'length', message: { content: 'Hi!! more' }, token_ids: [72, 105, 33, 33, 32] };
    const cut = await only(choice, request(1), { stop: ['??', '!!'] });
    expect([cut.text, cut.finishReason, ...cut.tokens]).toEqual([text, 'stop', ...own, END_OF_TURN]);
  });

  it('have to be the policy’s', async () => {
    const choice = { finish_reason: 'length', message, token_ids: [1, 128] };
    await expect(only(choice)).rejects.toThrow(
      /a token id that the policy does not have. Expected ids from 0 to 127; got 128/,
    );
  });
});

describe('log-probabilities', () => {
  const content = [
    { token: 'H', logprob: -0.5 },
    { token: 'i', logprob: -1 },
  ];
  const message = { content: 'Hi' };
  const asked = request(1, 1, { logprobs: true });

  it('are asked for and given where they are wanted; an end may lack its own', async () => {
    const cut = await only({ finish_reason: 'length', message, logprobs: { content } }, asked);
    expect([...cut.logprobs!]).toEqual([-0.5, -1]);
    const ended = await only({ finish_reason: 'stop', message, logprobs: { content } }, asked);
    expect([...ended.logprobs!]).toEqual([-0.5, -1, Number.NaN]);
    expect((await only({ finish_reason: 'stop', message, logprobs: { content } })).logprobs).toBeUndefined();
    const { sampler, seen } = await served({});
    await all(sampler, [asked, request(2)]);
    expect(seen.map(({ body }) => (body as { logprobs?: boolean }).logprobs)).toEqual([true, undefined]);
  });

  it('are left out where they belong to other tokens, or to some only', async () => {
    const other = [{ token: 'Hi', logprob: -0.5 }];
    for (const wrong of [{ content: other }, { content: content.slice(0, 1) }, undefined]) {
      const given = await only({ finish_reason: 'length', message, logprobs: wrong }, asked);
      expect([given.text, given.logprobs]).toEqual(['Hi', undefined]);
    }
  });
});
