import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MetaapoError } from '../contracts/index.js';

const MOST_FILES = 5_000;
const MOST_BYTES = 2 ** 28;

/** `from '...'`, `import '...'`, `import('...')` and `require('...')`, also where they stand in a comment. */
const IMPORT = /\b(?:from|import|require)\s*\(?\s*(['"`])([^'"`\n]{1,1000})\1/g;
const SCRIPT = new Set(['', '.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx']);
const ENDINGS = [
  '',
  '.js',
  '.mjs',
  '.cjs',
  '.ts',
  '.mts',
  '.json',
  '.node',
  '/index.js',
  '/index.mjs',
  '/index.cjs',
  '/index.ts',
];

/**
 * Digest of the code that a module brings along: its own file, every file that it imports by a relative path or by `#name`,
 * and so on; how the package.json above it has them read; and the versions of the packages that these files import. Names
 * that are put together while it runs are not followed. None of it is run.
 * @returns sha256 in hexadecimal, the same wherever the files lie; of a file that is missing a digest of its own
 * @throws MetaapoError with code `plugin` when these are more than 5 000 files or 256 MiB
 */
export function moduleDigest(file: string): string {
  const hash = createHash('sha256');
  const seen = new Set<string>();
  const waiting = [isFile(file) ? realpathSync(file) : file];
  let bytes = 0;
  const add = (label: string, content: string | Uint8Array): void => {
    hash.update(`${label}:${content.length}:`).update(content);
  };
  add('package', readingOf(file));
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    if (seen.has(at)) continue;
    seen.add(at);
    bytes += isFile(at) ? statSync(at).size : 0;
    if (seen.size > MOST_FILES || bytes > MOST_BYTES) throw tooMuch(file);
    const content = isFile(at) ? readFileSync(at) : undefined;
    add('file', content ?? 'missing');
    if (content === undefined || !SCRIPT.has(extname(at))) continue;
    for (const specifier of importsOf(content.toString('utf8'))) {
      const found = follow(specifier, at);
      if (found === undefined) continue;
      if ('file' in found) waiting.push(found.file);
      else add(specifier, found.version);
    }
  }
  return hash.digest('hex');
}

function importsOf(text: string): readonly string[] {
  return [...new Set([...text.matchAll(IMPORT)].map(([, , specifier]) => specifier!))];
}

type Followed = { readonly file: string } | { readonly version: string };

function follow(specifier: string, from: string): Followed | undefined {
  if (isBuiltin(specifier) || specifier.includes('\0')) return undefined;
  if (specifier.startsWith('#')) return own(specifier, from);
  if (/^(?:\.|\/|file:)/.test(specifier)) return fileOf(specifier, from);
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
  return name === undefined ? undefined : { version: versionOf(name, dirname(from)) };
}

function fileOf(specifier: string, from: string): Followed | undefined {
  const bare = specifier.replace(/[?#].*$/, '');
  const path = pathOf(bare, from);
  if (path === undefined) return undefined;
  const others = [path, path.replace(/\.([mc]?)js$/, '.$1ts')];
  const found = others.flatMap((base) => ENDINGS.map((ending) => `${base}${ending}`)).find(isFile);
  return found === undefined ? undefined : { file: realpathSync(found) };
}

function pathOf(specifier: string, from: string): string | undefined {
  if (!specifier.startsWith('file:')) return resolve(dirname(from), specifier);
  try {
    return fileURLToPath(specifier);
  } catch {
    return undefined;
  }
}

/** A file that the package.json above gives a name which begins with `#`. */
function own(specifier: string, from: string): Followed | undefined {
  try {
    return { file: realpathSync(createRequire(from).resolve(specifier)) };
  } catch {
    return undefined;
  }
}

/** The version of a package as it would be found from a directory; empty where it is not installed. */
function versionOf(name: string, directory: string): string {
  for (let at = directory; ; at = dirname(at)) {
    const manifest = join(at, 'node_modules', name, 'package.json');
    if (isFile(manifest)) return versionIn(manifest);
    if (at === dirname(at)) return '';
  }
}

function versionIn(manifest: string): string {
  try {
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version?: unknown };
    return String(version);
  } catch {
    return '';
  }
}

/** The nearest package.json above a file; `undefined` where there is none. */
export function manifestAbove(file: string): string | undefined {
  for (let at = dirname(resolve(file)); ; at = dirname(at)) {
    if (isFile(join(at, 'package.json'))) return join(at, 'package.json');
    if (at === dirname(at)) return undefined;
  }
}

/** What the package.json above a file says of how its modules are read and found. */
function readingOf(file: string): string {
  const manifest = manifestAbove(file);
  try {
    const { type, imports } = JSON.parse(readFileSync(manifest!, 'utf8')) as Readonly<Record<string, unknown>>;
    return JSON.stringify([type, imports]);
  } catch {
    return '';
  }
}

function isFile(path: string): boolean {
  try {
    return existsSync(path) && statSync(path).isFile();
  } catch {
    return false;
  }
}

function tooMuch(where: string): MetaapoError {
  return new MetaapoError('plugin', 'it imports more than can be looked at', {
    where,
    expected: `at most ${MOST_FILES} files with ${MOST_BYTES / 2 ** 20} MiB`,
    remedy: 'Bundle it into one file, or make what it needs a package that it depends on',
  });
}
