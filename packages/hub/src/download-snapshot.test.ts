import { spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MetaapoError } from '@metaapo/core/contracts';
import { beforeEach, expect, it, vi } from 'vitest';
import { COMMIT, gitObjectId, type HubRepository, hubServer, sha256 } from '../test/hub-server.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { downloadSnapshot, type SnapshotRequest } from './download-snapshot.js';

const WEIGHTS = 'weights '.repeat(20_000);
const FILES = { 'config.json': '{"a":1}', 'model.safetensors': WEIGHTS, 'README.md': '# hi', 'sub/merges é.txt': 'm' };
const REPOSITORY: HubRepository = { files: FILES, large: ['model.safetensors'] };
const repo = { type: 'model', name: 'owner/tiny' } as const;

beforeEach(() => {
  for (const name of [
    'HF_TOKEN',
    'HUGGING_FACE_HUB_TOKEN',
    'HF_ENDPOINT',
    'HF_HUB_CACHE',
    'HUGGINGFACE_HUB_CACHE',
    'HF_TOKEN_PATH',
  ])
    vi.stubEnv(name, undefined);
  for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE']) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', temporaryDirectory());
  return () => vi.unstubAllEnvs();
});

const setUp = async (repository: Partial<HubRepository> = {}) => {
  const { endpoint, seen } = await hubServer({ 'models/owner/tiny': { ...REPOSITORY, ...repository } });
  const cacheDirectory = temporaryDirectory();
  const download = (options: Partial<SnapshotRequest> = {}): Promise<string> =>
    downloadSnapshot({ repo, endpoint, cacheDirectory, retryDelayMs: 1, ...options });
  return { endpoint, seen, cacheDirectory, download, blobs: join(cacheDirectory, 'models--owner--tiny', 'blobs') };
};
const failure = (promise: Promise<unknown>): Promise<MetaapoError> =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error: MetaapoError) => error,
  );

it('lays out blobs, snapshots and refs as Python does', async () => {
  const { download, cacheDirectory } = await setUp();
  const directory = await download();
  const root = join(cacheDirectory, 'models--owner--tiny');
  expect(directory).toBe(join(root, 'snapshots', COMMIT));
  for (const [path, content] of Object.entries(FILES))
    expect(readFileSync(join(directory, path), 'utf8')).toBe(content);
  expect(lstatSync(join(directory, 'sub/merges é.txt')).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(root, 'refs/main'), 'utf8')).toBe(COMMIT);
  expect(readdirSync(join(root, 'blobs')).sort()).toEqual(
    [sha256(WEIGHTS), ...[FILES['config.json'], FILES['README.md'], 'm'].map(gitObjectId)].sort(),
  );
});

it('fetches only what the patterns want, and what is missing the next time', async () => {
  const { download, seen } = await setUp();
  const directory = await download({ files: ['*.json', 'sub/'] });
  expect(readdirSync(directory).sort()).toEqual(['config.json', 'sub']);
  seen.length = 0;
  await download({ files: ['*.json', 'README.*'] });
  expect(seen.map(({ path }) => path)).toEqual([
    '/api/models/owner/tiny/revision/main',
    `/owner/tiny/resolve/${COMMIT}/README.md`,
  ]);
  seen.length = 0;
  await download({ revision: COMMIT, files: ['*.json'] });
  expect(seen).toEqual([]);
});

it('sends the token to the hub and never to the store that it redirects to', async () => {
  const { download, seen } = await setUp({ requiredToken: 'hf_right' });
  vi.stubEnv('HF_TOKEN', 'hf_right\n');
  await download();
  expect(
    seen.filter(({ host }) => host === 'hub').every((request) => request.authorization === 'Bearer hf_right'),
  ).toBe(true);
  expect(seen.filter(({ host }) => host === 'store').map((request) => request.authorization)).toEqual([undefined]);
});

it('reads the token file that Python’s login writes', async () => {
  const { download } = await setUp({ requiredToken: 'hf_stored' });
  writeFileSync(join(process.env.HF_HOME!, 'token'), 'hf_stored\n');
  expect(existsSync(join(await download(), 'config.json'))).toBe(true);
});

/** A report that hears lines, and promises for those with a given text. */
const hearing = () => {
  const emitter = new EventEmitter();
  return {
    report: (line: string) => void emitter.emit(line),
    line: (text: string): Promise<unknown> => once(emitter, text),
  };
};

it('goes on inside a file when the connection breaks', async () => {
  const { report, line } = hearing();
  const breaks = ['48.0 kB', '96.0 kB'].map((size) => line(`owner/tiny: ${size} of 160.0 kB`));
  const { download, seen } = await setUp({
    fault: (_, request) => (request <= 2 ? { breakAfter: 48_000, broken: breaks[request - 1]! } : undefined),
  });
  const directory = await download({ files: ['*.safetensors'], report });
  expect(readFileSync(join(directory, 'model.safetensors'), 'utf8')).toBe(WEIGHTS);
  const ranges = seen.filter(({ host }) => host === 'store').map(({ range }) => range);
  expect(ranges).toEqual([undefined, 'bytes=48000-', 'bytes=96000-']);
});

it('goes on in a later call where a failed one stopped', async () => {
  const { report, line } = hearing();
  const broken = line('owner/tiny: 48.0 kB of 160.0 kB');
  const { download, seen, blobs } = await setUp({
    fault: (path, request) => {
      if (path !== 'model.safetensors' || request > 5) return undefined;
      return request === 1 ? { breakAfter: 48_000, broken } : { status: 503 };
    },
  });
  const error = await failure(download({ files: ['*.safetensors'], report }));
  expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('goes on where it stopped') });
  expect(readdirSync(blobs)).toEqual([`${sha256(WEIGHTS)}.released.incomplete`]);
  seen.length = 0;
  const directory = await download();
  expect(readFileSync(join(directory, 'model.safetensors'), 'utf8')).toBe(WEIGHTS);
  expect(seen.find(({ host }) => host === 'store')!.range).toBe('bytes=48000-');
});

it('stops at a signal and leaves no file claimed', async () => {
  const stop = new AbortController();
  const { download, blobs } = await setUp();
  const report = (line: string): void => {
    if (line.includes(' of ')) stop.abort();
  };
  const error = await failure(download({ signal: stop.signal, report }));
  expect(error).toMatchObject({ code: 'interrupted', message: expect.stringContaining('goes on where it stopped') });
  expect(readdirSync(blobs).filter((name) => name.includes(String(process.pid)))).toEqual([]);
  expect(existsSync(join(await download(), 'model.safetensors'))).toBe(true);
});

it('takes over what a dead process left, and starts again when that is damaged', async () => {
  const { download, blobs, seen } = await setUp();
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, `${sha256(WEIGHTS)}.released.incomplete`), 'x'.repeat(1000));
  const directory = await download({ files: ['*.safetensors'] });
  expect(readFileSync(join(directory, 'model.safetensors'), 'utf8')).toBe(WEIGHTS);
  expect(seen.filter(({ host }) => host === 'store').map(({ range }) => range)).toEqual(['bytes=1000-', undefined]);
  expect(readdirSync(blobs)).toEqual([sha256(WEIGHTS)]);
});

it('fetches a file once for two callers', async () => {
  const { download, seen } = await setUp();
  const [first, second] = await Promise.all([download(), download()]);
  expect(first).toBe(second);
  expect(seen.filter(({ host }) => host === 'store')).toHaveLength(1);
});

it('refuses content whose checksum is wrong', async () => {
  const { download, blobs } = await setUp({
    fault: (path) => (path === 'config.json' ? { send: '{"a":2}' } : undefined),
  });
  const error = await failure(download());
  expect(error.message).toMatch(/model owner\/tiny .*config\.json arrives damaged.*got other content, twice/);
  expect(readdirSync(blobs).filter((name) => name.startsWith(gitObjectId(FILES['config.json'])))).toEqual([]);
});

it('gives up a file that the hub keeps cutting short', async () => {
  const { download } = await setUp({ fault: (path) => (path === 'config.json' ? { breakAfter: 0 } : undefined) });
  const error = await failure(download());
  expect(error).toMatchObject({
    code: 'network',
    message: expect.stringMatching(/broke the connection.*goes on where it stopped/),
  });
});

it('tries again when the hub is busy', async () => {
  const { download } = await setUp({
    fault: (path, request) => (path === 'config.json' && request < 3 ? { status: 503 } : undefined),
  });
  expect(readFileSync(join(await download(), 'config.json'), 'utf8')).toBe(FILES['config.json']);
});

it.each([
  [
    'a wrong token',
    { requiredToken: 'hf_right' },
    { token: 'hf_wrong_secret' },
    /does not accept the access token.*401.*HF_TOKEN/,
  ],
  ['no token', { requiredToken: 'hf_right' }, {}, /without the right token.*401.*set HF_TOKEN/],
  [
    'a gated repository',
    { isGated: true },
    { token: 'hf_wrong_secret' },
    /access to it is restricted.*GatedRepo.*Ask for access at http.*owner\/tiny.*HF_TOKEN/,
  ],
  [
    'an unknown repository',
    {},
    { repo: { type: 'model', name: 'owner/none' } as const },
    /owner\/none.*does not have it.*404.*HF_TOKEN/,
  ],
  ['an unknown revision', {}, { revision: 'v9' }, /revision v9.*no such revision/],
  ['patterns that match nothing', {}, { files: ['*.bin'] }, /none of its files is wanted.*config\.json/],
  ['a name that is a path', {}, { repo: { type: 'model', name: '../../etc' } as const }, /no name of a repository/],
  ['a revision that is a path', {}, { revision: '../../x' }, /this is no revision/],
  ['a broken token', {}, { token: 'hf_wrong_secret\nX: y' }, /characters that no token has/],
])('answers %s with one paragraph and no secret', async (_, repository, options, message) => {
  const { download } = await setUp(repository);
  const error = await failure(download(options));
  expect(error.message).toMatch(message);
  expect(`${error.message}${error.stack}${JSON.stringify(error.fault)}`).not.toContain('hf_wrong_secret');
  expect(error.message).not.toContain('\n');
});

it('uses the cache when the hub cannot be reached, and says so', async () => {
  const { download, cacheDirectory } = await setUp();
  const directory = await download({ files: ['*.json'] });
  const lines: string[] = [];
  const away = { endpoint: 'http://127.0.0.1:9', report: (line: string) => lines.push(line) };
  expect(await download({ files: ['*.json'], ...away })).toBe(directory);
  expect(lines).toEqual(['owner/tiny: the hub cannot be reached; the cached files are used']);
  expect((await failure(download(away))).message).toMatch(/the hub cannot be reached.*HF_ENDPOINT.*HF_HUB_OFFLINE=1/);
  const elsewhere = download({ ...away, cacheDirectory: join(cacheDirectory, 'none') });
  expect((await failure(elsewhere)).message).toMatch(/model owner\/tiny .*the hub cannot be reached/);
});

it('asks nobody when HF_HUB_OFFLINE is set', async () => {
  const { download, seen } = await setUp();
  const directory = await download({ files: ['*.json'] });
  seen.length = 0;
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  expect(await download({ files: ['*.json'] })).toBe(directory);
  expect((await failure(download())).message).toMatch(
    /HF_HUB_OFFLINE forbids requests.*got all but model\.safetensors/,
  );
  expect((await failure(download({ revision: 'v2' }))).message).toMatch(/got nothing of it/);
  expect(seen).toEqual([]);
});

it('reports what it fetches in a few lines', async () => {
  const { download } = await setUp();
  const lines: string[] = [];
  await download({ report: (line) => lines.push(line) });
  expect(lines[0]).toBe('owner/tiny: fetching 4 files, 160.0 kB');
  expect(lines.at(-1)).toBe('owner/tiny: 160.0 kB of 160.0 kB');
  expect(lines.length).toBeLessThanOrEqual(12);
});

const python = process.env.PYTHON ?? 'python3';
const hasHub = spawnSync(python, ['-c', 'import huggingface_hub']).status === 0;
if (!hasHub)
  console.info(`cache shared with Python: skipped, ${python} has no huggingface_hub; set PYTHON to one that has`);

it.skipIf(!hasHub)('fills a cache that Python’s huggingface_hub reads offline', { timeout: 60_000 }, async () => {
  const { download, cacheDirectory } = await setUp();
  const directory = await download();
  const script = [
    'from huggingface_hub import hf_hub_download, snapshot_download, get_cached_repo_tree',
    'print(hf_hub_download("owner/tiny", "model.safetensors"))',
    'print(snapshot_download("owner/tiny"))',
    'print(len(get_cached_repo_tree("owner/tiny")))',
  ].join('\n');
  const env = { ...process.env, HF_HUB_CACHE: cacheDirectory, HF_HUB_OFFLINE: '1' };
  const { stdout, stderr } = spawnSync(python, ['-c', script], { env, encoding: 'utf8' });
  expect(stdout.trim().split('\n'), stderr).toEqual([join(directory, 'model.safetensors'), directory, '4']);
});

it.skipIf(!hasHub)('finds offline what Python’s huggingface_hub fetched', { timeout: 60_000 }, async () => {
  const { download, cacheDirectory, seen, endpoint } = await setUp();
  const script = 'from huggingface_hub import snapshot_download; print(snapshot_download("owner/tiny"))';
  const env = { ...process.env, HF_HUB_CACHE: cacheDirectory, HF_ENDPOINT: endpoint, HF_HUB_OFFLINE: '0' };
  const child = spawn(python, ['-c', script], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let directory = '';
  for await (const chunk of child.stdout) directory += String(chunk);
  seen.length = 0;
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  expect(await download()).toBe(directory.trim());
  expect(seen).toEqual([]);
});
