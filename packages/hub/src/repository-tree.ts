import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import type { HubClient } from './hub-client.js';
import { placeOf } from './hub-errors.js';
import { replaceFile } from './replace-file.js';
import { isSafePath, treeAddress } from './repository.js';

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
    const got = checked.error ? z.prettifyError(checked.error) : 'a path outside the repository';
    throw senselessError(client.subject, got);
  }
  const text = JSON.stringify(checked.data, null, 1);
  await client.persist(() => replaceFile(treeFile(directory, commit), text));
  return filesOf(checked.data);
}

/** Most pages of a listing; the hub puts a thousand files on each. */
const MOST_PAGES = 1000;
/** Most bytes of a listing, over all its pages. */
const MOST_BYTES = 256 * 2 ** 20;

/** A page of a listing, whose directories are passed over. */
const page = z.array(
  z.union([
    z.object({
      type: z.literal('file'),
      path: z.string(),
      size: z.number(),
      oid: z.string(),
      lfs: z.object({ oid: z.string(), size: z.number() }).nullish(),
      xetHash: z.string().nullish(),
    }),
    z.object({ type: z.enum(['directory', 'unknown']) }),
  ]),
);

async function listed(client: HubClient, commit: string): Promise<Record<string, unknown>> {
  const { subject } = client;
  const found: [path: string, entry: unknown][] = [];
  const seen = new Set<string>();
  let bytes = 0;
  let address: string | undefined = treeAddress(subject.endpoint, subject.repository, commit);
  while (address !== undefined) {
    if (seen.size >= MOST_PAGES || seen.has(address)) throw endlessError(subject);
    seen.add(address);
    const answer = await client.askJson(address, MOST_BYTES - bytes);
    bytes += answer.bytes;
    const { data, error } = page.safeParse(answer.value);
    if (data === undefined) throw senselessError(subject, z.prettifyError(error));
    for (const file of data) if (file.type === 'file') found.push([file.path, entryOf(file)]);
    address = nextPage(subject, answer.headers.get('link'), address);
  }
  return Object.fromEntries(found);
}

type ListedFile = Extract<z.output<typeof page>[number], { type: 'file' }>;

function entryOf({ size, oid, lfs, xetHash }: ListedFile): unknown {
  const large = lfs && { lfs_sha256: lfs.oid, lfs_size: lfs.size };
  return { size, blob_id: oid, ...large, ...(xetHash && { xet_hash: xetHash }) };
}

/** The address in `<...>; rel="next"` of a Link header; `undefined` where there is none. */
function nextPage(subject: HubClient['subject'], link: string | null, address: string): string | undefined {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined) return undefined;
  if (URL.canParse(target, address)) return new URL(target, address).href;
  throw senselessError(subject, 'a next page without an address');
}

function senselessError(subject: HubClient['subject'], got: string): MetaapoError {
  const fault = { where: placeOf(subject), got, remedy: 'Check HF_ENDPOINT' };
  return new MetaapoError('network', 'the hub’s list of files makes no sense', fault);
}

function endlessError(subject: HubClient['subject']): MetaapoError {
  return new MetaapoError('network', 'the hub’s list of files does not end', {
    where: placeOf(subject),
    expected: `at most ${MOST_PAGES} pages, each once`,
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
