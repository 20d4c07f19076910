import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import type { HubClient } from './hub-client.js';
import { connectionError, PassingFailure, placeOf } from './hub-errors.js';
import { replaceFile } from './replace-file.js';
import { isSafePath } from './repository.js';

/** A file of a repository at a commit. */
export interface RepositoryFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Name of its content in the cache: the SHA-256 of a large file, the Git object id of a small one. */
  readonly blob: string;
}

const entry = z.object({
  size: z.int().min(0),
  blob_id: z.string().regex(/^[0-9a-f]{40,64}$/),
  lfs_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  lfs_size: z.int().min(0).optional(),
  xet_hash: z.string().optional(),
});
/** The listing as Python's huggingface_hub keeps it beside the snapshots. */
const listing = z.object({ format_version: z.literal(1), files: z.record(z.string(), entry) });
type Listing = z.infer<typeof listing>;

/** Files of a commit from the cache, or `undefined` when its listing is not there. */
export async function cachedTree(directory: string, commit: string): Promise<RepositoryFile[] | undefined> {
  const text = await readFile(treeFile(directory, commit), 'utf8').catch(() => '{}');
  const { data } = listing.safeParse(parsed(text));
  return data && filesOf(data);
}

/**
 * Files of a commit from the hub; the listing is kept in the cache, since a commit never changes.
 * @throws MetaapoError with code `network`
 */
export async function fetchTree(client: HubClient, directory: string, commit: string): Promise<RepositoryFile[]> {
  const found = await client.persist(() => listed(client, commit));
  const checked = listing.safeParse({ format_version: 1, files: found });
  if (!checked.success || !Object.keys(found).every(isSafePath)) {
    throw new MetaapoError('network', 'the hub’s list of files makes no sense', {
      where: placeOf(client.subject),
      got: checked.error ? z.prettifyError(checked.error) : 'a path outside the repository',
      remedy: 'Check HF_ENDPOINT',
    });
  }
  const text = JSON.stringify(checked.data, null, 1);
  await client.persist(() => replaceFile(treeFile(directory, commit), text));
  return filesOf(checked.data);
}

/** Most pages of a listing; the hub puts a thousand files on each. */
const MOST_PAGES = 1000;
/** Most bytes of a listing, over all its pages. */
const MOST_BYTES = 256 * 2 ** 20;

async function listed({ request, subject }: HubClient, commit: string): Promise<Record<string, unknown>> {
  const { listFiles } = await import('@huggingface/hub');
  const { repository: repo, endpoint: hubUrl } = subject;
  const found: Record<string, unknown> = {};
  let [pages, bytes] = [0, 0];
  const fetcher: typeof fetch = async (address) => {
    pages += 1;
    if (pages > MOST_PAGES) throw endlessError(subject);
    const reply = await request(String(address), { mostBytes: MOST_BYTES - bytes });
    const text = await reply.text();
    bytes += text.length;
    return new Response(text, { headers: reply.headers });
  };
  try {
    for await (const file of listFiles({ repo, revision: commit, recursive: true, hubUrl, fetch: fetcher })) {
      if (file.type !== 'file') continue;
      const large = file.lfs && { lfs_sha256: file.lfs.oid, lfs_size: file.lfs.size };
      found[file.path] = {
        size: file.size,
        blob_id: file.oid,
        ...large,
        ...(file.xetHash && { xet_hash: file.xetHash }),
      };
    }
  } catch (error) {
    if (error instanceof PassingFailure || error instanceof MetaapoError) throw error;
    throw new PassingFailure(connectionError(subject, 'the hub’s list of files did not arrive whole', error));
  }
  return found;
}

function endlessError(subject: HubClient['subject']): MetaapoError {
  return new MetaapoError('network', 'the hub’s list of files does not end', {
    where: placeOf(subject),
    expected: `at most ${MOST_PAGES} pages`,
    remedy: 'Check HF_ENDPOINT and the proxy: what answers there is no sound hub',
  });
}

function filesOf({ files }: Listing): RepositoryFile[] {
  return Object.entries(files).map(([path, { size, blob_id, lfs_sha256, lfs_size }]) => ({
    path,
    size: lfs_size ?? size,
    blob: lfs_sha256 ?? blob_id,
  }));
}

function treeFile(directory: string, commit: string): string {
  return join(directory, 'trees', `${commit}.json`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
