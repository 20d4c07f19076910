import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished } from 'vitest';

/** A request as the server saw it. */
export interface SeenRequest<Body> {
  readonly path: string;
  readonly body: Body;
  readonly authorization: string | undefined;
}

/** How a server behaves. */
export interface RewardServerOptions<Body> {
  readonly answer: (body: Body, count: number) => unknown;
  /** A status, a cut connection, or none at all; `count` is how often this very body came, from 1. */
  readonly fault?: (
    count: number,
    body: Body,
    authorization: string | undefined,
  ) => number | 'cut' | 'hang' | undefined;
}

/** A JSON server on loopback that answers, or injects faults, and records what it saw and what it answered. */
export async function rewardServer<Body>({ answer, fault }: RewardServerOptions<Body>) {
  const seen: SeenRequest<Body>[] = [];
  const answered: Body[] = [];
  const counts = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = JSON.parse(text) as Body;
    const { authorization } = request.headers;
    seen.push({ path: request.url ?? '', body, authorization });
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    const injected = fault?.(count, body, authorization);
    if (injected === 'cut') response.writeHead(200).write('{"re', () => response.destroy());
    else if (typeof injected === 'number') response.writeHead(injected).end(`a fault, ${authorization}`);
    else if (injected === undefined) {
      response.on('finish', () => answered.push(body));
      response.end(JSON.stringify(answer(body, count)));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, answered };
}

const addresses = new Map<string, Promise<string>>();

/** Address of a server that is the same for all who ask in one test. */
export function addressOfTest<Body>(options: RewardServerOptions<Body>): Promise<string> {
  const test = expect.getState().currentTestName ?? '';
  const address = addresses.get(test) ?? rewardServer(options).then(({ url }) => url);
  addresses.set(test, address);
  return address;
}
