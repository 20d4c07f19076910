import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export const COMMIT = 'c0ffee'.padEnd(40, '0');
const PAGE = 2;

/** What the hub holds under one name, and how it misbehaves. */
export interface HubRepository {
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Paths kept by SHA-256 in a store of another origin, as large files are. */
  readonly large?: readonly string[];
  readonly requiredToken?: string;
  readonly isGated?: boolean;
  /** Called before a file is sent; the connection breaks after so many bytes, or other content is sent. */
  readonly fault?: (
    path: string,
    request: number,
  ) => { breakAfter?: number; send?: string; status?: number } | undefined;
}

/** A way to answer badly. */
export interface Fault {
  /** Bytes after which the connection breaks, once `broken` is settled. */
  readonly breakAfter?: number;
  readonly broken?: Promise<unknown>;
  /** Content sent instead of the right one. */
  readonly send?: string;
  readonly status?: number;
}

/** A request as the server saw it. */
export interface SeenRequest {
  readonly host: 'hub' | 'store';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** A server that speaks the hub's API on loopback (`name@branch` is another branch of `name`), and a store of another origin that it redirects large files to. */
export async function hubServer(repositories: Readonly<Record<string, HubRepository>>) {
  const seen: SeenRequest[] = [];
  const see = (host: SeenRequest['host'], { url = '', headers }: IncomingMessage): string => {
    const path = decodeURIComponent(new URL(url, 'http://hub').pathname);
    seen.push({ host, path, range: headers.range, authorization: headers.authorization });
    return path;
  };
  const sent = new Map<string, number>();
  const send = (name: string, path: string, request: IncomingMessage, response: ServerResponse): void => {
    const repository = repositories[name]!;
    const count = (sent.get(path) ?? 0) + 1;
    sent.set(path, count);
    sendFile(repository.files[path]!, repository.fault?.(path, count), request, response);
  };
  const store = await listening((request, response) => {
    const [, type, owner, repository, ...rest] = see('store', request).split('/');
    send(`${type}/${owner}/${repository}`, rest.join('/'), request, response);
  });
  const hub = await listening((request, response) => {
    const path = see('hub', request);
    const [plain, action, revision, file] = parsed(path);
    const name = Object.keys(repositories).find((key) => isAt(key, plain, revision)) ?? plain;
    const repository = repositories[name];
    const refusal = name === plain ? refused(repository, revision, request.headers.authorization) : undefined;
    if (!repository || refusal) return fail(response, ...(refusal ?? ([404, 'RepoNotFound'] as const)));
    if (action === 'revision')
      return json(response, {
        id: name.slice(name.indexOf('/') + 1),
        sha: name === plain ? COMMIT : gitObjectId(name),
        siblings: [],
      });
    if (action === 'tree') return sendTree(repository, request, response);
    if (repository.files[file] === undefined) return fail(response, 404, 'EntryNotFound');
    response.setHeader('X-Repo-Commit', COMMIT).setHeader('ETag', `"${gitObjectId(repository.files[file])}"`);
    if (!repository.large?.includes(file)) return send(name, file, request, response);
    response.setHeader('X-Linked-Etag', `"${sha256(repository.files[file])}"`);
    response.writeHead(302, { location: `${store}/${name}/${file}` }).end();
  });
  return { endpoint: hub, seen };
}

async function listening(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** True for the key `name@branch` of another branch, asked by its name or its commit. */
function isAt(key: string, name: string, revision: string): boolean {
  return key.startsWith(`${name}@`) && (key === `${name}@${revision}` || revision === gitObjectId(key));
}

/** Name with its kind, action, revision and file of a path of the hub. */
function parsed(path: string): [name: string, action: string, revision: string, file: string] {
  const api = /^\/api\/(models|datasets)\/([^/]+(?:\/[^/]+)??)\/(revision|tree)\/(.+)$/.exec(path);
  if (api) return [`${api[1]}/${api[2]}`, api[3]!, api[4]!, ''];
  const file = /^\/(datasets\/)?([^/]+(?:\/[^/]+)??)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  return file ? [`${file[1] ?? 'models/'}${file[2]}`, 'resolve', file[3]!, file[4]!] : ['', '', '', ''];
}

function refused(
  repository: HubRepository | undefined,
  revision: string,
  authorization: string | undefined,
): readonly [number, string] | undefined {
  if (repository?.requiredToken && authorization !== `Bearer ${repository.requiredToken}`) return [401, 'RepoNotFound'];
  if (repository?.isGated) return [403, 'GatedRepo'];
  return repository && revision !== 'main' && revision !== COMMIT ? [404, 'RevisionNotFound'] : undefined;
}

function sendTree(
  { files, large = [] }: HubRepository,
  { url = '', headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const address = new URL(url, 'http://hub');
  const start = Number(address.searchParams.get('cursor') ?? 0);
  const entries = Object.entries(files).map(([path, content]) => ({
    type: 'file',
    path,
    size: Buffer.byteLength(content),
    oid: gitObjectId(content),
    ...(large.includes(path) && { lfs: { oid: sha256(content), size: Buffer.byteLength(content), pointerSize: 130 } }),
  }));
  if (start + PAGE < entries.length) {
    address.searchParams.set('cursor', String(start + PAGE));
    response.setHeader('Link', `<http://${headers.host}${address.pathname}${address.search}>; rel="next"`);
  }
  json(response, [
    { type: 'directory', path: 'data', size: 0, oid: '0'.repeat(40) },
    ...entries.slice(start, start + PAGE),
  ]);
}

function sendFile(
  content: Uint8Array | string,
  fault: Fault | undefined,
  { headers }: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault?.status) {
    fail(response, fault.status, 'Fault');
    return;
  }
  const whole = Buffer.from(fault?.send ?? content);
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  const body = whole.subarray(from);
  response.setHeader('Content-Length', body.length);
  if (headers.range) response.setHeader('Content-Range', `bytes ${from}-${whole.length - 1}/${whole.length}`);
  response.writeHead(headers.range ? 206 : 200);
  if (fault?.breakAfter === undefined) response.end(body);
  else {
    response.write(body.subarray(0, fault.breakAfter));
    void Promise.resolve(fault.broken).then(() => response.destroy());
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'X-Error-Code': code }).end(JSON.stringify({ error: code }));
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

export function gitObjectId(content: Uint8Array | string): string {
  return createHash('sha1')
    .update(`blob ${Buffer.byteLength(content)}\0`)
    .update(content)
    .digest('hex');
}
