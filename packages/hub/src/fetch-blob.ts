import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { MetaapoError } from '@metaapo/core/contracts';
import { type StreamedReply, TransientError } from '@metaapo/core/http';
import type { HubClient } from './hub-client.js';
import { connectionError, largeReplyError, placeOf } from './hub-errors.js';
import { claimPartial, releasePartial } from './partial-file.js';
import type { RepositoryFile } from './repository-tree.js';

/** Blobs that this process fetches right now. */
const inFlight = new Map<string, Promise<void>>();

/** A file to fetch, its place in the cache, and who hears how many bytes of it are there. */
export interface BlobRequest {
  readonly file: RepositoryFile;
  readonly address: string;
  /** Path of the content in the cache. */
  readonly blob: string;
  readonly progress: (bytes: number) => void;
}

/**
 * Fetches the content of a file into the cache, unless it is there. A partial file is continued; size and checksum are
 * compared before the blob gets its name.
 * @throws MetaapoError with code `network`, `interrupted`, or `config` when the cache cannot be written
 */
export async function fetchBlob(client: HubClient, request: BlobRequest): Promise<void> {
  const { blob, file } = request;
  while (inFlight.has(blob)) await inFlight.get(blob)!.catch(() => undefined);
  if (!existsSync(blob)) {
    const fetching = fetchClaimed(client, request).finally(() => inFlight.delete(blob));
    inFlight.set(blob, fetching);
    await fetching;
  }
  request.progress(file.size);
}

async function fetchClaimed(client: HubClient, request: BlobRequest): Promise<void> {
  const partial = await client.persist(() => claimPartial(request.blob, client));
  if (partial === undefined) return;
  let received = 0;
  const progress = (bytes: number): void => {
    received = bytes;
    request.progress(bytes);
  };
  const attempt = { ...request, partial, progress };
  try {
    await client.persist(
      () => transfer(client, attempt),
      () => received,
    );
    await client.persist(() => verify(client, attempt));
    await client.persist(() => rename(partial, request.blob));
  } catch (error) {
    await releasePartial(request.blob, partial);
    throw error;
  }
}

interface Transfer extends BlobRequest {
  readonly partial: string;
}

/** Appends what is missing of a partial file. */
async function transfer(client: HubClient, { file, address, partial, progress }: Transfer): Promise<void> {
  let offset = await sizeOf(partial);
  if (offset > file.size) offset = await discard(partial);
  progress(offset);
  if (offset === file.size && offset > 0) return;
  await client.ask(address, offset > 0 ? { range: `bytes=${offset}-` } : {}, async (reply) => {
    if (offset > 0 && !continues(reply, offset)) offset = await discard(partial);
    if (reply.status === 416 || (reply.status === 206 && offset === 0)) {
      throw incomplete(client, file, 'a reply to another range');
    }
    await append(client, reply, { partial, offset, size: file.size, progress });
  });
  const written = await sizeOf(partial);
  if (written < file.size) throw incomplete(client, file, `${written} bytes`);
}

/** Writes each piece before it is counted, so that a break loses nothing that was counted. */
async function append(
  { subject }: HubClient,
  { pieces }: StreamedReply,
  {
    partial,
    offset,
    size,
    progress,
  }: { partial: string; offset: number; size: number; progress: (bytes: number) => void },
): Promise<void> {
  const file = await open(partial, offset > 0 ? 'a' : 'w');
  let received = offset;
  try {
    for await (const bytes of pieces) {
      if (received + bytes.length > size) {
        await file.truncate();
        throw largeReplyError(subject, size);
      }
      await file.appendFile(bytes);
      received += bytes.length;
      progress(received);
    }
  } finally {
    await file.close();
  }
}

function continues(reply: StreamedReply, offset: number): boolean {
  return reply.status === 206 && (reply.headers.get('content-range') ?? '').startsWith(`bytes ${offset}-`);
}

/** Fetches a damaged file once more from its beginning; ends with an error when it is damaged again. */
async function verify(client: HubClient, request: Transfer): Promise<void> {
  const { file, partial } = request;
  if (await isWhole(partial, file)) return;
  await discard(partial);
  await transfer(client, request);
  if (await isWhole(partial, file)) return;
  await discard(partial);
  throw new MetaapoError('network', `${file.path} arrives damaged`, {
    where: placeOf(client.subject),
    expected: `${file.size} bytes with the checksum ${file.blob}`,
    got: 'other content, twice',
    remedy: 'Try again later, or check the proxy and HF_ENDPOINT',
  });
}

/** Compares the content with the SHA-256 of a large file, or the Git object id of a small one. */
async function isWhole(path: string, { size, blob }: RepositoryFile): Promise<boolean> {
  if ((await sizeOf(path)) !== size) return false;
  const hash = blob.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === blob;
}

async function discard(partial: string): Promise<0> {
  await rm(partial, { force: true });
  return 0;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function incomplete({ subject }: HubClient, file: RepositoryFile, got: string): TransientError {
  const cause = new Error(`${got} of the ${file.size} bytes of ${file.path}`);
  return new TransientError(connectionError(subject, 'the transfer ended early', cause));
}
