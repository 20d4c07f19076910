import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

/**
 * A way to answer badly: never, half, not in JSON, not in UTF-8, a byte at a time without end, more than any reply holds
 * (without an end, or compressed), or with another status.
 */
export type Fault =
  | 'hang'
  | 'cut'
  | 'garbage'
  | 'latin-1'
  | 'drip'
  | 'flood'
  | 'bomb'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
  readonly atMs: number;
  /** Settled when the connection ends before the reply is whole. */
  readonly closed: Promise<void>;
}

/** How a server behaves. */
export interface FaultServerOptions {
  /** The reply to a request, when it is ready. */
  readonly answer?: (body: never, request: SeenRequest) => unknown;
  /** The fault of a request; `count` is how often this very body came, from 1. */
  readonly fault?: (count: number, request: SeenRequest) => Fault | undefined | Promise<Fault | undefined>;
}

/** A JSON server on loopback that injects faults, and counts what it sees and what it answers. */
export async function faultServer({ answer = (body) => body, fault = () => undefined }: FaultServerOptions = {}) {
  const seen: SeenRequest[] = [];
  const answered: unknown[] = [];
  const counts = new Map<string, number>();
  const load = { now: 0, most: 0 };
  const server = createServer(async (incoming, response) => {
    const { method = '', url: path = '', headers } = incoming;
    load.most = Math.max(load.most, ++load.now);
    const closed = new Promise<void>((resolve) => {
      response.on('close', () => {
        load.now--;
        if (!response.writableFinished) resolve();
      });
    });
    const text = await textOf(incoming);
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const request = { method, path, headers, body, atMs: performance.now(), closed };
    seen.push(request);
    const injected = await fault(count, request);
    if (injected !== undefined) {
      inject(injected, response);
      return;
    }
    const reply = await answer(body as never, request);
    response.on('finish', () => answered.push(body));
    response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, answered, load, close };
}

async function textOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** 256 MB of spaces, compressed. */
const bomb = (): Buffer => gzipSync(Buffer.alloc(2 ** 28, ' '), { level: 1 });

function* flood(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(2 ** 16, ' ');
}

function inject(fault: Fault, response: ServerResponse): void {
  if (fault === 'hang') return;
  if (fault === 'garbage') response.end('<html>not JSON</html>');
  else if (fault === 'latin-1') response.end(Buffer.from('{"text": "caf\u00e9"}', 'latin1'));
  else if (fault === 'flood') Readable.from(flood()).pipe(response.writeHead(200));
  else if (fault === 'bomb') response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb());
  else if (fault === 'cut') response.writeHead(200).write('{"half', () => response.destroy());
  else if (fault === 'drip') {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 5);
    response.on('close', () => clearInterval(timer));
  } else response.writeHead(fault.status, fault.headers).end(fault.body ?? 'a fault');
}
