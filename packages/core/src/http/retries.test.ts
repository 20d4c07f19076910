import { describe, expect, it } from 'vitest';
import { type Fault, faultServer } from '../../test/fault-server.js';
import { bodies, byId, client, failureOf, idOf } from '../../test/http-client.js';
import { backoffMs, retryAfterMs } from './retry-delay.js';

describe('what is tried again', () => {
  const passing: readonly [name: string, fault: Fault, timeoutSeconds?: number][] = [
    ...[408, 409, 425, 429, 500, 502, 503, 504].map((status) => [`status ${status}`, { status }] as [string, Fault]),
    ['a cut connection', 'cut'],
    ['invalid JSON', 'garbage'],
    ['bytes that are no UTF-8', 'latin-1'],
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
    const keyed = client(`${server.url}/v1/?key=\${KEY}`, { retries: 2, env: { KEY: 'hidden key' } });
    const error = await failureOf(keyed.post('score', {}));
    expect(server.seen).toHaveLength(3);
    expect(server.seen[0]!.path).toBe('/v1/score?key=hidden+key');
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
