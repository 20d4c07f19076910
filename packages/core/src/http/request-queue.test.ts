import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { faultServer } from '../../test/fault-server.js';
import { bodies, byId, client, failureOf, idOf, nextTurn, waitFor } from '../../test/http-client.js';
import { MetaapoError } from '../contracts/index.js';
import { TransientError } from './http-errors.js';
import { createRequestQueue } from './request-queue.js';

const failing = async (): Promise<never> => {
  throw new TransientError(new MetaapoError('network', 'busy', { where: 'test' }));
};

it('makes every retry, whenever a rest ends: also between two looks at a clock that runs ahead', async () => {
  const now = performance.now.bind(performance);
  let ahead = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    ahead += 2;
    return now() + ahead;
  });
  onTestFinished(() => void clock.mockRestore());
  for (let round = 0; round < 40; round++) {
    const attempt = vi.fn(failing);
    const queue = createRequestQueue({ servers: 1, concurrency: 4, retries: 3, retryDelayMs: 2, attempt });
    await expect(queue({})).rejects.toThrow('busy');
    expect(attempt).toHaveBeenCalledTimes(4);
  }
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
