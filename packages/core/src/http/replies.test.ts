import { describe, expect, it } from 'vitest';
import { type Fault, faultServer } from '../../test/fault-server.js';
import { client, failureOf } from '../../test/http-client.js';
import { MetaapoError } from '../contracts/index.js';
import { statusOf, TransientError, withExtraBody } from './index.js';

describe('an error in the body of a reply with status 200', () => {
  const replies = (reply: unknown): Fault => ({ status: 200, body: JSON.stringify(reply) });

  it.each<[name: string, reply: unknown]>([
    ['with a code', { error: { message: 'Slow down', code: 429 }, user: 'u' }],
    ['beside choices that are null', { choices: null, error: { message: 'workers busy', code: '503' } }],
    ['of each choice', { choices: [{ finish_reason: 'error', error: { code: 502 } }] }],
    ['as a text', { error: 'upstream failed' }],
    ['in a list', { errors: [{ message: 'too many' }] }],
    ['as the reply itself', { object: 'error', message: 'NETWORK ERROR', code: 50_001 }],
    ['by a code beside a message', { code: 529, msg: 'overloaded' }],
    ['by a word', { error: { type: 'overloaded_error', message: 'later' } }],
    ['that says no success', { success: false, message: 'try again' }],
  ])('is tried again: %s', async (_, reply) => {
    const server = await faultServer({ fault: (count) => (count <= 2 ? replies(reply) : undefined) });
    expect(await client(server.url).post('', { id: 1 })).toEqual({ id: 1 });
    expect(server.seen).toHaveLength(3);
  });

  it.each<[name: string, reply: unknown, status: number]>([
    ['a code', { error: { message: 'no', code: 400 } }, 400],
    ['a word', { error: { message: 'no', type: 'invalid_request_error' } }, 400],
    ['a message', { error: { message: 'the maximum context length is 4096 tokens' } }, 400],
    ['a word of keys', { error: { code: 'invalid_api_key' } }, 401],
    ['a word of models', { error: { type: 'not_found_error' } }, 404],
  ])('is final where a status would be: by %s', async (_, reply, status) => {
    const server = await faultServer({ fault: () => replies(reply) });
    const error = await failureOf(client(server.url).post('', {}));
    expect(error.message).toContain(
      'refuses the request. Expected a JSON reply with status 200; got an error in a reply',
    );
    expect(statusOf(error)).toBe(status);
    expect(server.seen).toHaveLength(1);
  });

  it('is none where a field says that there is none', async () => {
    for (const reply of [
      { error: null },
      { error: '' },
      { error: {} },
      { errors: [] },
      { success: true },
      { code: 0 },
    ]) {
      const server = await faultServer({ answer: () => reply });
      expect(await client(server.url).post('', {})).toEqual(reply);
    }
  });

  it('shows what it says, the API key masked', async () => {
    const told = { error: { message: 'no such key sk-secret', code: 401 } };
    const server = await faultServer({ fault: () => replies(told) });
    const keyed = client(server.url, { apiKeyVariable: 'KEY', env: { KEY: 'sk-secret' } });
    expect((await failureOf(keyed.post('', {}))).message).toContain('{"message":"no such key ***","code":401}');
  });
});

describe('the size of a reply', () => {
  it.each<Fault>(['flood', 'bomb'])(
    'has a bound, beyond which nothing is read and nothing tried again: %s',
    async (fault) => {
      const server = await faultServer({ fault: () => fault });
      const error = await failureOf(client(server.url, { maxReplyBytes: 1_000_000 }).post('', {}));
      expect(error.message).toContain(
        'the reply is too large. Expected a JSON reply with status 200; got more than 1000000',
      );
      expect(server.seen).toHaveLength(1);
      if (fault === 'flood') await server.seen[0]!.closed;
    },
  );

  it('of an error is cut', async () => {
    const server = await faultServer({ fault: () => ({ status: 400, body: 'x'.repeat(10_000_000) }) });
    expect((await failureOf(client(server.url).post('', {}))).message).toMatch(/got status 400: x{200}\./);
  });
});

describe('a reader of replies', () => {
  const final = new MetaapoError('network', 'odd', { where: 'test' });

  it('decides what a reply means, and whether it is worth another attempt', async () => {
    const server = await faultServer({ answer: (body: object) => ({ ...body, place: server.seen.length }) });
    const read = (reply: unknown): number => {
      const { place } = reply as { place: number };
      if (place < 3) throw new TransientError(final);
      return place;
    };
    expect(await client(server.url).post('', {}, undefined, read)).toBe(3);
  });

  it('ends it with its last error, or at once', async () => {
    const server = await faultServer();
    const failing = (error: Error) =>
      client(server.url, { retries: 1 }).post('', {}, undefined, () => {
        throw error;
      });
    expect(await failureOf(failing(new TransientError(final)))).toBe(final);
    expect(await failureOf(failing(final))).toBe(final);
    expect(server.seen).toHaveLength(3);
  });
});

describe('a stream of events', () => {
  const streaming = (body: string) => faultServer({ fault: () => ({ status: 200, body }) });
  const read = async (body: string) =>
    client((await streaming(body)).url, { reply: 'events', retries: 0 }).post('', {}, undefined, (events) => events);

  it('gives its values, whatever ends the lines, up to [DONE]', async () => {
    const body =
      ': hello\r\nevent: x\r\nid: 1\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata:{"b":2}\n\ndata: 3\r\rdata: [DONE]\n\nrest';
    expect(await read(body)).toEqual([{ a: 1 }, { b: 2 }, 3]);
    expect(await read('')).toEqual([]);
  });

  it('may be a reply in one piece', async () => {
    expect(await read(' {"choices": [1]}')).toEqual([{ choices: [1] }]);
  });

  it.each<[name: string, body: string]>([
    ['was cut within an event', 'data: {"a": 1}\n\ndata: {"b'],
    ['holds an event that is no JSON', 'data: {"a": 1}\n\ndata: oh no\n\ndata: {"a": 1}\n\n'],
    ['is a page', '<html>502 Bad Gateway</html>'],
    ['has a line that is none', 'data: {"a": 1}\n\n{"error": 1}\n\n'],
  ])('that %s is broken, and asked for again', async (_, body) => {
    const server = await streaming(body);
    const error = await failureOf(client(server.url, { reply: 'events', retries: 1 }).post('', {}));
    expect(error.message).toContain('the reply is not a stream of JSON events');
    expect(server.seen).toHaveLength(2);
  });

  it('that tells of an error is one', async () => {
    const server = await streaming('data: {"a": 1}\n\nevent: error\ndata: {"error": {"message": "out of memory"}}\n\n');
    const error = await failureOf(client(server.url, { reply: 'events', retries: 1 }).post('', {}));
    expect(error.message).toContain('the server failed');
    expect(error.message).toContain('{"message":"out of memory"}');
    expect(server.seen).toHaveLength(2);
  });
});

it('gets without a body, and reads text where JSON is not wanted', async () => {
  const server = await faultServer({ answer: (_, { method }) => ({ method }) });
  expect(await client(server.url).get('models')).toEqual({ method: 'GET' });
  expect(await client(server.url, { reply: 'text' }).post('x', {})).toBe('{"method":"POST"}');
});

it('puts entries into a body, and takes those out that are null', () => {
  expect(withExtraBody({ a: 1, b: 2, c: 3 }, { b: null, c: 4, d: 5 })).toEqual({ a: 1, c: 4, d: 5 });
});
