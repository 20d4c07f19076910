import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Fault, faultServer } from '../../test/fault-server.js';
import { isMetaapoError, type MetaapoError } from '../contracts/index.js';
import { createJsonClient, type JsonClientOptions, statusOf, withExtraBody } from './index.js';
import { backoffMs, retryAfterMs } from './retry-delay.js';

const client = (baseUrl: string | readonly string[], options: Partial<JsonClientOptions> = {}) =>
  createJsonClient({
    service: 'service test',
    baseUrl,
    timeoutSeconds: 20,
    retries: 3,
    concurrency: 4,
    retryDelayMs: 1,
    ...options,
  });

const bodies = (count: number) => Array.from({ length: count }, (_, id) => ({ id }));
const idOf = (body: unknown): number => (body as { id: number }).id;
const byId = (a: unknown, b: unknown): number => idOf(a) - idOf(b);

async function failureOf(promise: Promise<unknown>): Promise<MetaapoError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isMetaapoError(error)) throw new Error(`no MetaapoError but ${inspect(error)}`);
  return error;
}

describe('what is tried again', () => {
  const passing: readonly [name: string, fault: Fault, timeoutSeconds?: number][] = [
    ...[408, 409, 425, 429, 500, 502, 503, 504].map((status) => [`status ${status}`, { status }] as [string, Fault]),
    ['a cut connection', 'cut'],
    ['invalid JSON', 'garbage'],
    ['no reply in time', 'hang', 0.1],
    ['a reply that never ends', 'drip', 0.1],
  ];
  for (const [name, fault, timeoutSeconds = 20] of passing) {
    it(`${name}, until it is answered, once`, async () => {
      const server = await faultServer({ fault: (count) => (count <= 2 ? fault : undefined) });
      expect(await client(server.url, { timeoutSeconds }).post('score', { id: 1 })).toEqual({ id: 1 });
      expect(server.seen.map(({ path }) => path)).toEqual(['/score', '/score', '/score']);
      expect(server.answered).toEqual([{ id: 1 }]);
    });
  }

  it('a mixture of everything loses no request and answers none twice', async () => {
    const faults: readonly (Fault | undefined)[] = ['cut', { status: 503 }, undefined, 'garbage', { status: 429 }];
    const server = await faultServer({
      fault: (count, { body }) => (count <= 2 ? faults[(idOf(body) * 7 + count * 3) % 5] : undefined),
    });
    const { post } = client(server.url, { retries: 60 });
    expect(await Promise.all(bodies(60).map((body) => post('', body)))).toEqual(bodies(60));
    expect(server.answered.toSorted(byId)).toEqual(bodies(60));
    expect(server.seen.length).toBeGreaterThan(100);
  });

  it('after the wait that Retry-After asks for', async () => {
    const server = await faultServer({
      fault: (count) => (count === 1 ? { status: 429, headers: { 'retry-after': '1' } } : undefined),
    });
    await client(server.url).post('', {});
    expect(server.seen[1]!.atMs - server.seen[0]!.atMs).toBeGreaterThan(990);
  });

  it('at most `retries` times, then one error says where and what', async () => {
    const server = await faultServer({ fault: () => ({ status: 503, body: `overloaded ${'x'.repeat(500)}` }) });
    const error = await failureOf(client(`${server.url}/v1/?key=hidden`, { retries: 2 }).post('score', {}));
    expect(server.seen).toHaveLength(3);
    expect(server.seen[0]!.path).toBe('/v1/score?key=hidden');
    expect(error.code).toBe('network');
    expect(error.message).toBe(
      `service test at ${server.url}/v1/score: the server failed. Expected a JSON reply with status 200; ` +
        `got status 503: overloaded ${'x'.repeat(189)}. Look into the server's log, then run it again.`,
    );
  });

  it('anew in a later call, when the server is back', async () => {
    let isBroken = true;
    const server = await faultServer({ fault: () => (isBroken ? { status: 500 } : undefined) });
    const { post } = client(server.url, { retries: 1 });
    expect((await failureOf(post('', { id: 1 }))).code).toBe('network');
    isBroken = false;
    expect(await post('', { id: 2 })).toEqual({ id: 2 });
  });

  it('a server that is gone, with one error for all who wait', async () => {
    const server = await faultServer();
    server.close();
    const { post } = client(server.url, { retries: 1 });
    const errors = await Promise.all(bodies(20).map((body) => failureOf(post('', body))));
    for (const { message } of errors) expect(message).toMatch(/cannot be reached.*ECONNREFUSED.*Start the server/);
  });
});

describe('what is not tried again', () => {
  for (const status of [400, 401, 403, 404, 413, 422]) {
    it(`status ${status}`, async () => {
      const server = await faultServer({ fault: () => ({ status, body: '{"error": "no such model"}' }) });
      const { message } = await failureOf(client(server.url).post('', {}));
      expect(message).toContain(`refuses the request. Expected`);
      expect(message).toContain(`got status ${status}: {"error": "no such model"}.`);
      expect(server.seen).toHaveLength(1);
    });
  }

  it('a redirection: the address has to be the right one', async () => {
    const server = await faultServer({ fault: () => ({ status: 307, headers: { location: 'http://else.test/' } }) });
    const { message } = await failureOf(client(server.url).post('', {}));
    expect(message).toContain('got status 307: a redirection to http://else.test/. Give the address');
    expect(server.seen).toHaveLength(1);
  });
});

describe('the API key', () => {
  const env = { TEST_KEY: 'sk-secret"+/key' };

  it('is sent, and is in no error even when the server repeats it', async () => {
    const server = await faultServer({
      fault: (_, { headers }) => ({ status: 401, body: JSON.stringify({ wrong: headers.authorization }) }),
    });
    const { post, shown } = client(server.url, {
      apiKeyVariable: 'TEST_KEY',
      env,
      headers: { 'x-team': 'team-secret' },
    });
    const error = await failureOf(post('', {}));
    expect(server.seen[0]!.headers).toMatchObject({
      authorization: 'Bearer sk-secret"+/key',
      'x-team': 'team-secret',
    });
    expect(statusOf(error)).toBe(401);
    expect(error.message).toContain('got status 401: {"wrong":"Bearer ***"}. Set TEST_KEY to a key');
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret/);
    expect(shown({ key: env.TEST_KEY })).toBe('{"key":"***"}');
  });

  it('has to be set and sendable; neither error shows it', () => {
    const make = (value?: string) => () => client('http://a', { apiKeyVariable: 'TEST_KEY', env: { TEST_KEY: value } });
    expect(make()).toThrow('service test: the API key is not set. Expected an API key in the environment variable');
    expect(make('sk-secret\nmore')).toThrow(/^(?!.*secret).*holds characters that no key has/);
  });

  it('is not shown either where the name of its variable belongs', () => {
    expect(() => client('http://a', { apiKeyVariable: 'sk-secret' })).toThrow(/^(?!.*secret).*no name of an env/);
  });

  it('cannot be part of an address', () => {
    expect(() => client('http://user:sk-secret@host/v1')).toThrow(/^(?!.*secret).*got http:\/\/host\/v1/);
    expect(() => client('localhost:8000')).toThrow(/no address of a server/);
  });
});

describe('sharing', () => {
  it('keeps to the concurrency of an address', async () => {
    const server = await faultServer({
      answer: async (body) => {
        await waitFor(() => server.load.now === 3 || server.seen.length === 20);
        for (let turn = 0; turn < 20; turn++) await nextTurn();
        return body;
      },
    });
    const { post } = client(server.url, { concurrency: 3 });
    await Promise.all(bodies(20).map((body) => post('', body)));
    expect(server.load.most).toBe(3);
  });

  it('gives the next request to whoever is free, so the fast server does more', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = await faultServer({ answer: (body) => released.then(() => body) });
    const fast = await faultServer({
      answer: (body) => {
        if (fast.seen.length === 26) release();
        return body;
      },
    });
    const { post } = client([slow.url, fast.url]);
    expect(await Promise.all(bodies(30).map((body) => post('', body)))).toEqual(bodies(30));
    expect([slow.answered.length, fast.answered.length]).toEqual([4, 26]);
    expect([...slow.answered, ...fast.answered].sort(byId)).toEqual(bodies(30));
  });

  it('lets the others take over from a server that is dead, hangs or fails', async () => {
    const dead = await faultServer();
    dead.close();
    const hanging = await faultServer({ fault: () => 'hang' });
    const failing = await faultServer({ fault: () => ({ status: 500 }) });
    const sound = await faultServer();
    const { post } = client([dead.url, hanging.url, failing.url, sound.url], { timeoutSeconds: 0.2, retries: 1 });
    expect(await Promise.all(bodies(40).map((body) => post('', body)))).toEqual(bodies(40));
    expect(sound.answered.toSorted(byId)).toEqual(bodies(40));
    expect(hanging.seen.length).toBeLessThan(10);
  });

  it('gives the idlest server the next request', async () => {
    const servers: Awaited<ReturnType<typeof faultServer>>[] = [];
    const answer = async (body: unknown) => {
      await waitFor(() => servers[0]!.seen.length + servers[1]!.seen.length === 4);
      return body;
    };
    servers.push(await faultServer({ answer }), await faultServer({ answer }));
    const { post } = client(servers.map(({ url }) => url));
    await Promise.all(bodies(4).map((body) => post('', body)));
    expect(servers.map(({ seen }) => seen.length)).toEqual([2, 2]);
  });

  it('leaves a request that a server failed to another one, even when that is busy', async () => {
    const picky = await faultServer({ fault: (_, { body }) => (idOf(body) === 0 ? { status: 500 } : undefined) });
    const busy = await faultServer({
      answer: async (body) => {
        await waitFor(() => picky.answered.length === 4);
        return body;
      },
    });
    const { post } = client([picky.url, busy.url], { concurrency: 1 });
    await Promise.all(bodies(6).map((body) => post('', body)));
    expect(picky.seen.map(({ body }) => idOf(body))).toEqual([0, 2, 3, 4, 5]);
    expect(busy.answered.map(idOf)).toEqual([1, 0]);
  });

  it('does not ask a server again for a while that failed too often in a row', async () => {
    const failing = await faultServer({ fault: () => ({ status: 500 }) });
    const sound = await faultServer({
      answer: async (body) => {
        for (let turn = 0; turn < 500; turn++) await nextTurn();
        return body;
      },
    });
    const { post } = client([failing.url, sound.url], { concurrency: 1, retries: 1 });
    expect(await Promise.all(bodies(20).map((body) => post('', body)))).toEqual(bodies(20));
    expect(failing.seen).toHaveLength(2);
  });

  it('counts failures once that happen together', async () => {
    const server = await faultServer({
      fault: async (count) => {
        await waitFor(() => server.seen.length >= 8);
        return count === 1 ? { status: 503 } : undefined;
      },
    });
    const { post } = client(server.url, { concurrency: 8, retries: 1 });
    expect(await Promise.all(bodies(8).map((body) => post('', body)))).toEqual(bodies(8));
  });

  it('asks a server that failed for one thing at a time, until it answers', async () => {
    const server = await faultServer({
      fault: async () => {
        await waitFor(() => server.seen.length >= 8);
        return { status: 503 };
      },
    });
    const { post } = client(server.url, { concurrency: 8, retries: 2 });
    await Promise.all(bodies(20).map((body) => failureOf(post('', body))));
    expect(server.seen).toHaveLength(8 + 1 + 1);
  });

  it('gives a request up that every server fails, while the others are answered', async () => {
    const fault = (_: number, { body }: { body: unknown }) => (idOf(body) === 5 ? { status: 500 } : undefined);
    const servers = [await faultServer({ fault }), await faultServer({ fault })] as const;
    const { post } = client(
      servers.map(({ url }) => url),
      { retries: 2 },
    );
    const settled = await Promise.allSettled(bodies(12).map((body) => post('', body)));
    expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(settled[5]!.status).toBe('rejected');
  });
});

describe('an aborted signal', () => {
  it('stops what is under way and what waits, at once', async () => {
    const server = await faultServer({ fault: () => 'hang' });
    const stop = new AbortController();
    const { post } = client(server.url, { concurrency: 1 });
    const posts = bodies(3).map((body) => post('', body, stop.signal).catch((reason: unknown) => reason));
    await waitFor(() => server.seen.length === 1);
    stop.abort('enough');
    expect(await Promise.all(posts)).toEqual(['enough', 'enough', 'enough']);
    await server.seen[0]!.closed;
    expect(server.seen).toHaveLength(1);
  });

  it('has one listener, however many requests wait for it', async () => {
    const server = await faultServer();
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    const { signal } = new AbortController();
    const { post } = client(server.url, { concurrency: 20 });
    await Promise.all(bodies(50).map((body) => post('', body, signal)));
    await nextTurn();
    process.off('warning', hear);
    expect(warnings).toEqual([]);
  });

  it('stops a wait for the next attempt', async () => {
    const server = await faultServer({ fault: () => ({ status: 503, headers: { 'retry-after': '500' } }) });
    const stop = new AbortController();
    const posted = client(server.url).post('', {}, stop.signal);
    await waitFor(() => server.seen.length === 1);
    stop.abort('enough');
    await expect(posted).rejects.toBe('enough');
  });

  it('sends nothing when it is aborted before', async () => {
    const server = await faultServer();
    await expect(client(server.url).get('', AbortSignal.abort('enough'))).rejects.toBe('enough');
    expect(server.seen).toEqual([]);
  });
});

describe('waits', () => {
  it('double up to half a minute, less up to a half', () => {
    expect([1, 2, 3, 20].map((failures) => backoffMs(failures, 500, 0))).toEqual([500, 1000, 2000, 30_000]);
    expect(backoffMs(1, 500, 1)).toBe(250);
  });

  it('follow Retry-After in seconds or as a date, up to ten minutes', () => {
    const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');
    const headers = ['2', 'Wed, 21 Oct 2015 07:28:03 GMT', 'Wed, 21 Oct 2015 07:00:00 GMT', '86400', 'soon', '', null];
    expect(headers.map((header) => retryAfterMs(header, now))).toEqual([
      2000,
      3000,
      0,
      600_000,
      undefined,
      undefined,
      undefined,
    ]);
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

/** Turns the event loop until something holds; the test's time limit ends it otherwise. */
async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await nextTurn();
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
