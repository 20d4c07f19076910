import { readdirSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { MetaapoError } from '@metaapo/core/contracts';
import { expect, it, onTestFinished } from 'vitest';
import { COMMIT, gitObjectId } from '../test/hub-server.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { downloadSnapshot } from './download-snapshot.js';
import type { HubOptions } from './hub-settings.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const CONTENT = '{"a":1}';
const FILE = { type: 'file', path: 'config.json', size: CONTENT.length, oid: gitObjectId(CONTENT) };
const says =
  (value: unknown): Answer =>
  (_, response) =>
    response.end(JSON.stringify(value));

/** What a download from a hub ends with that answers as told, and how often each address was asked. */
async function failureOf(
  {
    revision = says({ sha: COMMIT }),
    tree = says([FILE]),
    file = says({ a: 1 }),
  }: Partial<Record<'revision' | 'tree' | 'file', Answer>>,
  options: HubOptions = {},
) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    response.on('error', () => undefined);
    const { url = '' } = request;
    (url.includes('/revision/') ? revision : url.includes('/tree/') ? tree : file)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cacheDirectory = temporaryDirectory();
  const repo = { type: 'model', name: 'owner/tiny' } as const;
  const error = await downloadSnapshot({ repo, endpoint, cacheDirectory, retryDelayMs: 1, ...options }).then(
    () => undefined,
    (cause: MetaapoError) => cause,
  );
  const sizes = readdirSync(cacheDirectory, { recursive: true, encoding: 'utf8' })
    .map((path) => statSync(join(cacheDirectory, path)))
    .map((found) => (found.isFile() ? found.size : 0));
  return { error, asked, kept: Math.max(0, ...sizes) };
}

const endless: Answer = (_, response) => {
  const write = (): void => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', write);
  write();
};

it('takes what a sound hub answers', async () => {
  expect((await failureOf({})).error).toBeUndefined();
});

it('takes no byte more of a file than was announced', async () => {
  const { error, asked, kept } = await failureOf({ file: endless });
  expect(error).toMatchObject({ code: 'network', message: expect.stringMatching(/larger than it may be.*7 bytes/) });
  expect(asked).toBe(2 + 5);
  expect(kept).toBeLessThan(1000);
});

it('ends an answer that has no end', async () => {
  const { error } = await failureOf({ revision: endless });
  expect(error).toMatchObject({ code: 'network' });
}, 30_000);

it('ends a list of files that has no end', async () => {
  const tree: Answer = ({ url = '', headers }, response) => {
    const next = new URL(url, `http://${headers.host}`);
    next.searchParams.set('cursor', String(Number(next.searchParams.get('cursor') ?? 0) + 1));
    response.setHeader('Link', `<${next}>; rel="next"`).end('[]');
  };
  const { error, asked } = await failureOf({ tree });
  expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('does not end') });
  expect(asked).toBe(1 + 1000);
}, 30_000);

it('ends a list of files that comes back to a page', async () => {
  const tree: Answer = ({ url = '', headers }, response) => {
    response.setHeader('Link', `<http://${headers.host}${url}>; rel="next"`).end('[]');
  };
  const { error, asked } = await failureOf({ tree });
  expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('does not end') });
  expect(asked).toBe(1 + 1);
});

it.each([
  ['no list', says({ a: 1 })],
  ['a file without a name', says([{ ...FILE, path: undefined }])],
  ['a file of many bytes less than none', says([{ ...FILE, size: -5 }])],
  ['a next page without an address', (_, response) => response.setHeader('Link', '<http://[>; rel="next"').end('[]')],
] satisfies [string, Answer][])('refuses a list of files that is none: %s', async (_, tree) => {
  const { error } = await failureOf({ tree });
  expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('makes no sense') });
});

it.each([
  ['says nothing', () => undefined],
  [
    'drips',
    (_, response) => {
      const timer = setInterval(() => response.write(' '), 5);
      response.on('close', () => clearInterval(timer));
    },
  ],
] satisfies [string, Answer][])('gives up a hub that %s', async (_, revision) => {
  const { error, asked } = await failureOf({ revision }, { stallMs: 50 });
  expect(error).toMatchObject({ code: 'network', message: expect.stringMatching(/in 0\.05 s/) });
  expect(asked).toBe(5);
});

it('waits no longer than ten minutes when it is asked to, and says so', async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const report = (line: string): void => {
    lines.push(line);
    stop.abort();
  };
  const tree: Answer = (_, response) => response.writeHead(429, { 'Retry-After': '1000000000000' }).end();
  const { error } = await failureOf({ tree }, { report, signal: stop.signal });
  expect(lines).toEqual(['owner/tiny: the next attempt is in 600 s']);
  expect(error).toMatchObject({ code: 'interrupted' });
});

it('refuses a path with half a character', async () => {
  const { error } = await failureOf({ tree: says([{ ...FILE, path: 'a\ud800.json' }]) });
  expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('makes no sense') });
});
