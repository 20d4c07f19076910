import { describe, expect, it } from 'vitest';
import { type Fault, faultServer } from '../../test/fault-server.js';
import { bytesOf, type ReplyRequest, type StreamedReply, withReply } from './with-reply.js';

const request = (address: string, more: Partial<ReplyRequest> = {}): ReplyRequest => ({
  address,
  method: 'GET',
  headers: { range: 'bytes=3-' },
  faults: {
    late: () => new Error('late'),
    stalled: () => new Error('stalled'),
    broken: (cause) => new Error('broken', { cause }),
  },
  ...more,
});
const text = async (reply: StreamedReply): Promise<string> => (await bytesOf(reply, 1000)).bytes.toString();
const redirectTo = (location: string): Fault => ({ status: 302, headers: { location } });

describe('a redirection', () => {
  it('is followed with all headers, and with the authorization on the same origin alone', async () => {
    const store = await faultServer({ fault: () => ({ status: 206, body: 'from the store' }) });
    const hub = await faultServer({
      fault: (_, { path }) => redirectTo(path === '/first' ? '/second' : `${store.url}/file`),
    });
    const asked = request(`${hub.url}/first`, { authorization: 'Bearer secret', redirects: 5 });
    const got = await withReply(asked, async (reply) => [reply.status, reply.origin, await text(reply)]);
    expect(got).toEqual([206, store.url, 'from the store']);
    expect(hub.seen.map(({ path, headers }) => [path, headers.authorization, headers.range])).toEqual([
      ['/first', 'Bearer secret', 'bytes=3-'],
      ['/second', 'Bearer secret', 'bytes=3-'],
    ]);
    expect(store.seen.map(({ headers }) => [headers.authorization, headers.range])).toEqual([[undefined, 'bytes=3-']]);
  });

  it('brings the authorization back to no origin that it has left', async () => {
    let back = '';
    const store = await faultServer({ fault: () => redirectTo(back) });
    const hub = await faultServer({
      fault: (_, { path }) => (path === '/last' ? { status: 200, body: 'x' } : redirectTo(store.url)),
    });
    back = `${hub.url}/last`;
    await withReply(request(`${hub.url}/first`, { authorization: 'Bearer secret', redirects: 5 }), text);
    expect(hub.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', undefined]);
  });

  it('is a reply like others after so many, and without leave', async () => {
    const server = await faultServer({ fault: () => redirectTo('/again') });
    const statusAfter = (redirects?: number) =>
      withReply(request(server.url, { redirects }), async ({ status }) => status);
    expect([await statusAfter(), await statusAfter(3)]).toEqual([302, 302]);
    expect(server.seen).toHaveLength(1 + 4);
  });

  it('to no address is a broken connection', async () => {
    const server = await faultServer({ fault: () => redirectTo('http://[') });
    await expect(withReply(request(server.url, { redirects: 1 }), text)).rejects.toThrow('broken');
  });
});

describe('a body', () => {
  it('is cut where more comes than is wanted, and its connection ends', async () => {
    const server = await faultServer({ fault: () => 'flood' });
    const { bytes, isCut } = await withReply(request(server.url), (reply) => bytesOf(reply, 100_000));
    expect([bytes.length, isCut]).toEqual([100_000, true]);
    await server.seen[0]!.closed;
  });

  it('that drips has stalled, whatever its time', async () => {
    const server = await faultServer({ fault: () => 'drip' });
    await expect(withReply(request(server.url, { stallMs: 60 }), text)).rejects.toThrow('stalled');
    await server.seen[0]!.closed;
  });

  it('has the time of its reader', async () => {
    const server = await faultServer({ fault: () => ({ status: 200, body: 'x'.repeat(3_000_000) }) });
    let length = 0;
    await withReply(request(server.url, { stallMs: 500 }), async ({ pieces }) => {
      for await (const piece of pieces) {
        length += piece.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(length).toBe(3_000_000);
  });
});

it('ends when nothing comes: by its time, by a stall, and with the reason of a signal', async () => {
  const server = await faultServer({ fault: () => 'hang' });
  await expect(withReply(request(server.url, { timeoutMs: 30 }), text)).rejects.toThrow('late');
  await expect(withReply(request(server.url, { stallMs: 30 }), text)).rejects.toThrow('stalled');
  const stop = new AbortController();
  const stopped = withReply(request(server.url, { signal: stop.signal }), text);
  const reason = new Error('enough');
  stop.abort(reason);
  await expect(stopped).rejects.toBe(reason);
});

it('leaves errors of the reader as they are', async () => {
  const server = await faultServer({ fault: () => ({ status: 200, body: 'x' }) });
  const own = new Error('of the reader');
  await expect(withReply(request(server.url), () => Promise.reject(own))).rejects.toBe(own);
});
