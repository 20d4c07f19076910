import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fetchSnapshot } from '@metaapo/hub';
import fc from 'fast-check';
import { DIRECTORY, type FuzzTarget, jsonText, target } from './fuzz-target.js';
import { mutatedJson, mutatedJsonText, mutatedText } from './odd-inputs.js';
import { type Reply, withReplies } from './reply-targets.js';

const HUB = 'http://127.0.0.1:9';
const COMMIT = 'c0ffee'.padEnd(40, '0');
const CONTENT = '{"a":1}';
const oid = createHash('sha1').update(`blob ${CONTENT.length}\0${CONTENT}`).digest('hex');
const sha256 = createHash('sha256').update(CONTENT).digest('hex');
const FILES = [
  { type: 'file', path: 'config.json', size: CONTENT.length, oid },
  {
    type: 'file',
    path: 'a/b.json',
    size: CONTENT.length,
    oid,
    lfs: { oid: sha256, size: CONTENT.length, pointerSize: 130 },
  },
  { type: 'directory', path: 'a', size: 0, oid },
];
const links = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: mutatedText(`<${HUB}/api/models/o/n/tree/${COMMIT}?cursor=1>; rel="next"`, [
      '<',
      '>',
      ';',
      ',',
      'http://',
      '\r\n',
    ]).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '')),
  },
);
const statuses = fc.oneof(
  { weight: 12, arbitrary: fc.constant(200) },
  { weight: 1, arbitrary: fc.constantFrom(204, 206, 302, 304, 401, 403, 404, 416, 429, 500, 503) },
);
const usually = (usual: string, odd: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });

const hubs = fc.record({
  revision: usually(jsonText({ sha: COMMIT }), mutatedJsonText({ sha: COMMIT, siblings: [] })),
  tree: fc.oneof(mutatedJson(FILES).map(jsonText), mutatedJsonText(FILES), fc.constant(jsonText(FILES))),
  file: usually(CONTENT, mutatedText(CONTENT)),
  link: links,
  status: fc.tuple(statuses, statuses, statuses),
  range: fc.constantFrom('', 'bytes 0-6/7', 'bytes 3-6/7', 'bytes x'),
});
type Hub = typeof hubs extends fc.Arbitrary<infer Value> ? Value : never;

async function fetchFrom({ revision, tree, file, link, status, range }: Hub): Promise<void> {
  const cacheDirectory = join(DIRECTORY, 'hub');
  rmSync(cacheDirectory, { recursive: true, force: true });
  mkdirSync(cacheDirectory, { recursive: true });
  const headers = { 'retry-after': '0', ...(range !== '' && { 'content-range': range }) };
  const answer = (address: string): Reply => {
    if (address.includes('/revision/')) return { body: revision, status: status[0], headers };
    if (address.includes('/tree/'))
      return { body: tree, status: status[1], headers: { ...headers, ...(link !== '' && { link }) } };
    return { body: file, status: status[2], headers };
  };
  const repository = { type: 'model', name: 'o/n' } as const;
  const options = { endpoint: HUB, token: 'hf_0123456789abcdef', cacheDirectory, retryDelayMs: 0, stallMs: 1000 };
  await withReplies(answer, () => fetchSnapshot(repository, (paths) => paths, options));
}

/** What a hub answers. */
export const HUB_TARGETS: readonly FuzzTarget[] = [target('hub', hubs, fetchFrom)];
