import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { reachModelServers, reachServers } from './reach-servers.js';

async function served(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const service = 'sampler test';

it('takes any answer for one, also that it knows nothing of what was looked at', async () => {
  const heard: (string | undefined)[] = [];
  const json = await served(({ method, url }, response) => {
    heard.push(`${method} ${url}`);
    response.end('{"data": 1}');
  });
  const html = await served((_, response) => response.end('<p>here</p>'));
  const unknown = await served((_, response) => response.writeHead(404).end());
  const posted = await served((_, response) => response.writeHead(405).end());
  const found = await reachServers({ service, baseUrl: [json, html, unknown, posted] }, 'models');
  expect(found).toEqual([{ data: 1 }, undefined, undefined, undefined]);
  expect(heard).toEqual(['GET /v1/models']);
});

it('names the server that cannot be reached, refuses the key or has nothing behind it', async () => {
  const dead = await served((request) => request.socket.destroy());
  await expect(reachServers({ service, baseUrl: dead }, '')).rejects.toMatchObject({
    code: 'network',
    message: expect.stringContaining(dead),
  });
  const closed = await served((_, response) => response.writeHead(401).end());
  await expect(reachServers({ service, baseUrl: closed }, '')).rejects.toThrow(/apiKeyVariable/);
  const gateway = await served((_, response) => response.writeHead(503).end());
  await expect(reachServers({ service, baseUrl: gateway }, '')).rejects.toThrow(/503/);
  const key = { service, baseUrl: closed, apiKeyVariable: 'NO_SUCH_KEY', env: {} };
  await expect(reachServers(key, '')).rejects.toThrow('NO_SUCH_KEY');
});

it('says which models a server lists where the wanted one is not among them', async () => {
  const list = await served((_, response) => response.end('{"data": [{"id": "a"}, {"id": "b"}, null]}'));
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  await reachModelServers({ service, baseUrl: list, model: 'a' }, say);
  expect(said).toEqual([]);
  await reachModelServers({ service, baseUrl: list, model: 'c' }, say);
  expect(said).toEqual(['Warning: sampler test: the server lists the models a, b, and not c']);
});
