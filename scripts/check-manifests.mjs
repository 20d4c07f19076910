// Checks what npm shows of the packages: repository, homepage, bugs, keywords and provenance of each manifest, links of its
// README, ranges of peers, and that the next release is a minor version of 0.x for all of them. --write mends the manifests.
// Prints one line a finding; exit code 1 when there is one.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const names = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);
const { repository } = read(join(root, 'package.json'));
const address = repository.url.replace(/^git\+|\.git$/g, '');

/** A plugin's peers span 0.x: a peer that left its range would make a release a major version of every plugin. */
const PEER = 'workspace:>=0.0.0 <1.0.0';
const PLUGIN = 'metaapo-plugin';

/** The manifest as it should be. A package whose default export is a plugin has the keyword that lists plugins. */
function mended(name, manifest) {
  const isPlugin = /\bdefault\b/.test(readFileSync(join(root, 'packages', name, 'src/index.ts'), 'utf8'));
  const words = (manifest.keywords ?? []).filter((word) => word !== PLUGIN);
  const peers = Object.entries(manifest.peerDependencies ?? {});
  return {
    ...manifest,
    homepage: `${address}/tree/main/packages/${name}#readme`,
    bugs: { url: `${address}/issues` },
    repository: { ...repository, directory: `packages/${name}` },
    ...(manifest.private !== true && { publishConfig: { access: 'public', provenance: true } }),
    ...(peers.length > 0 && {
      peerDependencies: Object.fromEntries(
        peers.map(([peer, range]) => [peer, peer.startsWith('@metaapo/') ? PEER : range]),
      ),
    }),
    keywords: isPlugin ? [words[0] ?? 'metaapo', PLUGIN, ...words.slice(1)] : words,
  };
}

function checkManifest(name) {
  const path = join(root, 'packages', name, 'package.json');
  const given = readFileSync(path, 'utf8');
  const right = mended(name, JSON.parse(given));
  if (JSON.stringify(JSON.parse(given)) === JSON.stringify(right)) return [];
  if (process.argv.includes('--write')) {
    writeFileSync(path, `${JSON.stringify(right, null, 2)}\n`);
    return [];
  }
  const wrong = Object.keys(right).filter(
    (key) => JSON.stringify(right[key]) !== JSON.stringify(JSON.parse(given)[key]),
  );
  return [`packages/${name}/package.json: ${wrong.join(', ')}: run node scripts/check-manifests.mjs --write`];
}

/** Links that a reader on npm cannot follow: out of the package, or to what it does not publish. */
function checkLinks(name) {
  const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)\s]+)\)/g)].map(([, target]) => target);
  return links.map((target) => `packages/${name}/README.md: ${target} leads nowhere on npm; write ${address}/...`);
}

/** What `changeset version` makes of a copy of the manifests. */
function checkRelease() {
  const copy = mkdtempSync(join(tmpdir(), 'metaapo-release-'));
  try {
    for (const path of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', '.changeset']) {
      cpSync(join(root, path), join(copy, path), { recursive: true });
    }
    for (const name of names) {
      cpSync(join(root, 'packages', name, 'package.json'), join(copy, 'packages', name, 'package.json'));
    }
    execFileSync(join(root, 'node_modules/.bin/changeset'), ['version'], { cwd: copy, stdio: 'pipe' });
    const versions = new Set(names.map((name) => read(join(copy, 'packages', name, 'package.json')).version));
    const expected = nextVersion();
    if (versions.size === 1 && versions.has(expected)) return [];
    return [`changeset version gives ${[...versions].join(', ')}, expected ${expected} for all packages`];
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The version that the changes ask for, as .changeset/README.md says: while it is 0.x, no more than a minor one. */
function nextVersion() {
  const directory = join(root, '.changeset');
  const files = readdirSync(directory).filter((name) => name.endsWith('.md') && name !== 'README.md');
  const changes = files.map((name) => readFileSync(join(directory, name), 'utf8'));
  const { version } = read(join(root, 'packages/core/package.json'));
  const [, minor, patch] = version.split('.').map(Number);
  if (changes.some((text) => /: (minor|major)$/m.test(text))) return `0.${minor + 1}.0`;
  return changes.length > 0 ? `0.${minor}.${patch + 1}` : version;
}

const findings = [...names.flatMap((name) => [...checkManifest(name), ...checkLinks(name)]), ...checkRelease()];
for (const finding of findings) process.stdout.write(`${finding}\n`);
process.stdout.write(findings.length === 0 ? 'manifests: nothing found\n' : `manifests: ${findings.length} found\n`);
process.exit(findings.length === 0 ? 0 : 1);
