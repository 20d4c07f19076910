import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import { cachedCommit, cachedPaths, isCommit, linkBlob, rememberCommit } from './cached-snapshot.js';
import { eachLimited } from './each-limited.js';
import { fetchBlob } from './fetch-blob.js';
import { createHubClient, type HubClient } from './hub-client.js';
import { placeOf } from './hub-errors.js';
import { type HubOptions, type HubSettings, hubSettings } from './hub-settings.js';
import { matchesPattern } from './path-pattern.js';
import { checkRepository, fileAddress, type Repository, repositoryDirectory, revisionAddress } from './repository.js';
import { cachedTree, fetchTree, type RepositoryFile } from './repository-tree.js';
import { TransferProgress } from './transfer-progress.js';

/** Which files of which repository. */
export interface SnapshotRequest extends HubOptions {
  readonly repo: Repository;
  /** Patterns of the wanted paths, `*` and `?` as in a shell, `*` also over directories; default all files. */
  readonly files?: readonly string[] | undefined;
}

/** Where the chosen files lie. */
export interface Snapshot {
  /** `snapshots/<commit>` in the cache. Files in it are shared: read them only. */
  readonly directory: string;
  /** Paths of the chosen files in it. */
  readonly paths: readonly string[];
}

/** A request in progress. */
interface Work {
  readonly client: HubClient;
  readonly settings: HubSettings;
  readonly options: HubOptions;
  readonly repository: Repository;
  /** Directory of the repository in the cache. */
  readonly directory: string;
  readonly choose: (paths: readonly string[]) => readonly string[];
  /** Ends all transfers of this request. */
  readonly stop: () => void;
}

/**
 * Directory with the wanted files of a repository of the hub, fetched where the cache lacks them. The cache is the one
 * of Python's huggingface_hub, so that each finds what the other fetched. Transfers go on where they stopped; size and
 * checksum of every file are compared. With HF_HUB_OFFLINE, or when the hub cannot be reached, the cache alone must do.
 * @throws MetaapoError with code `network` for a repository, revision or file that the hub does not give, or a failing
 * connection; `config` for wrong names or files missing offline; `interrupted` when the signal stops it
 */
export async function downloadSnapshot({ repo, files, ...options }: SnapshotRequest): Promise<string> {
  const choose = (paths: readonly string[]): readonly string[] =>
    files ? paths.filter((path) => files.some((pattern) => matchesPattern(path, pattern))) : paths;
  const { directory } = await fetchSnapshot(repo, choose, options);
  return directory;
}

/** As {@link downloadSnapshot}, with a function that chooses the paths. */
export async function fetchSnapshot(
  repository: Repository,
  choose: Work['choose'],
  options: HubOptions,
): Promise<Snapshot> {
  const { revision = 'main' } = options;
  checkRepository(repository, revision);
  const settings = hubSettings(options);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const client = createHubClient(repository, revision, settings, { ...options, signal });
  const directory = repositoryDirectory(settings.cacheDirectory, repository);
  const work: Work = { client, settings, options, repository, directory, choose, stop: () => stop.abort() };
  if (settings.isOffline) return fromCache(work, revision, undefined);
  try {
    return await fromHub(work, revision);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const snapshot = await fromCache(work, revision, error.final);
    options.report?.(`${repository.name}: the hub cannot be reached; the cached files are used`);
    return snapshot;
  }
}

/** The hub gave no answer to the first question. */
class Unreachable extends Error {
  readonly final: MetaapoError;
  constructor(final: MetaapoError) {
    super(final.message, { cause: final });
    this.final = final;
  }
}

async function fromHub(work: Work, revision: string): Promise<Snapshot> {
  const { client, directory, choose } = work;
  const commit = isCommit(revision) ? revision : await currentCommit(work, revision);
  const tree = (await cachedTree(directory, commit)) ?? (await fetchTree(client, directory, commit));
  const snapshot = join(directory, 'snapshots', commit);
  const paths = chosen(
    work,
    choose,
    tree.map(({ path }) => path),
  );
  const files = tree.filter(({ path }) => paths.includes(path));
  await client.persist(() => mkdir(join(directory, 'blobs'), { recursive: true }));
  await fetchFiles(
    work,
    commit,
    files.filter(({ path }) => !existsSync(join(snapshot, path))),
  );
  await client.persist(() => rememberCommit(directory, revision, commit));
  return { directory: snapshot, paths };
}

async function fetchFiles(work: Work, commit: string, files: readonly RepositoryFile[]): Promise<void> {
  const { client, directory, repository, settings, options } = work;
  const blobOf = ({ blob }: RepositoryFile): string => join(directory, 'blobs', blob);
  const absent = files.filter((file) => !existsSync(blobOf(file)));
  const progress = new TransferProgress(repository.name, absent, options.report);
  const fetchOne = (file: RepositoryFile): Promise<void> =>
    fetchBlob(client, {
      file,
      address: fileAddress(settings.endpoint, repository, commit, file.path),
      blob: blobOf(file),
      progress: (bytes) => progress.update(file.path, bytes),
    });
  await eachLimited(absent, options.parallel ?? 4, fetchOne, work.stop);
  for (const file of files) {
    await client.persist(() => linkBlob(blobOf(file), join(directory, 'snapshots', commit, file.path)));
  }
}

async function currentCommit({ client, settings, repository }: Work, revision: string): Promise<string> {
  const ask = async (): Promise<string> => {
    const { value } = await client.askJson(revisionAddress(settings.endpoint, repository, revision));
    const { data } = z.object({ sha: z.string().refine(isCommit) }).safeParse(value);
    if (data) return data.sha;
    throw new MetaapoError('network', 'this server does not answer as the hub does', {
      where: placeOf(client.subject),
      expected: 'the commit of the revision',
      remedy: 'Check HF_ENDPOINT',
    });
  };
  return client.persist(ask).catch((error) => {
    throw isMetaapoError(error) && error.code === 'network' && error.cause !== undefined
      ? new Unreachable(error)
      : error;
  });
}

/** The snapshot as the cache has it; all chosen files must be there. */
async function fromCache(work: Work, revision: string, failure: MetaapoError | undefined): Promise<Snapshot> {
  const { directory, choose } = work;
  const commit = isCommit(revision) ? revision : await cachedCommit(directory, revision);
  const snapshot = join(directory, 'snapshots', commit ?? '-');
  if (commit === undefined || !existsSync(snapshot)) throw failure ?? offlineError(work, 'nothing of it');
  const tree = await cachedTree(directory, commit);
  const paths = chosen(work, choose, tree ? tree.map(({ path }) => path) : await cachedPaths(snapshot));
  const missing = paths.filter((path) => !existsSync(join(snapshot, path)));
  if (missing.length === 0) return { directory: snapshot, paths };
  throw failure ?? offlineError(work, `all but ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`);
}

function chosen({ client }: Work, choose: Work['choose'], all: readonly string[]): readonly string[] {
  const paths = choose(all);
  if (paths.length > 0) return paths;
  throw new MetaapoError('config', 'none of its files is wanted', {
    where: placeOf(client.subject),
    got: all.slice(0, 8).join(', ') || 'no files at all',
    remedy: 'Check the name, the revision and the patterns',
  });
}

function offlineError({ client, settings }: Work, got: string): MetaapoError {
  return new MetaapoError('config', 'HF_HUB_OFFLINE forbids requests, and the cache does not hold it', {
    where: placeOf(client.subject),
    expected: `all its wanted files in ${settings.cacheDirectory}`,
    got,
    remedy: 'Unset HF_HUB_OFFLINE, or check HF_HOME, HF_HUB_CACHE and the revision',
  });
}
