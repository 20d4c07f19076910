import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { cacheHome, manifestAbove, moduleDigest } from '@metaapo/core/storage';
import { z } from 'zod';

/** What a recipe has run: a plugin, a function of a module, or a command. */
interface NamedCode {
  readonly name: string;
  /** Of the module with what it imports, or of the command. */
  readonly digest: string;
}

const agreed = z.object({ code: z.array(z.object({ name: z.string(), digest: z.string() })) });

/**
 * Looks whether this user has agreed to the code that the recipe in a run directory names: by having begun the run here,
 * or by `--trust`, once. Runs none of it.
 * @throws MetaapoError with code `config` that lists the code with its digests
 */
export function requireAgreement(output: string, recipe: unknown, trust: boolean): void {
  const code = codeOf(recipe);
  const known = new Set(agreedCode(output).map(({ name, digest }) => `${name} ${digest}`));
  const unknown = code.filter(({ name, digest }) => !known.has(`${name} ${digest}`));
  if (unknown.length === 0) return;
  if (trust) {
    rememberCode(output, recipe);
    return;
  }
  throw new MetaapoError('config', 'its recipe names code that you have not agreed to run', {
    where: output,
    got: unknown.map(({ name, digest }) => `${name} (sha256 ${digest.slice(0, 16)})`).join('; '),
    remedy: 'Look at it; then add --trust, which is remembered for this directory and this code',
  });
}

/** Remembers that the user runs the code of a recipe in a directory. Without a place to remember it, it is asked again. */
export function rememberCode(output: string, recipe: unknown): void {
  const file = memoryOf(output);
  const code = codeOf(recipe);
  if (code.length === 0) return;
  try {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify({ code }), { mode: 0o600 });
  } catch {
    // A home that cannot be written to.
  }
}

function agreedCode(output: string): readonly NamedCode[] {
  try {
    return agreed.parse(JSON.parse(readFileSync(memoryOf(output), 'utf8'))).code;
  } catch {
    return [];
  }
}

function memoryOf(output: string): string {
  const name = createHash('sha256').update(realpathSync(output)).digest('hex');
  return join(cacheHome(process.env), 'agreed-code', `${name}.json`);
}

function codeOf(recipe: unknown): readonly NamedCode[] {
  if (typeof recipe !== 'object' || recipe === null) return [];
  const found: NamedCode[] = [];
  const { id, path, refreshCommand, plugins } = recipe as Readonly<Record<string, unknown>>;
  if (id === 'function' && typeof path === 'string') {
    found.push({ name: `function ${path}`, digest: moduleDigest(resolve(path)) });
  }
  if (typeof refreshCommand === 'string') {
    found.push({ name: `command ${refreshCommand}`, digest: digestOf(refreshCommand) });
  }
  for (const name of Array.isArray(plugins) ? plugins : []) {
    if (typeof name === 'string') found.push({ name: `plugin ${name}`, digest: pluginDigest(name) });
  }
  return [...found, ...Object.values(recipe).flatMap(codeOf)];
}

function pluginFile(name: string): string {
  if (name.startsWith('.') || isAbsolute(name)) return resolve(name);
  try {
    return createRequire(resolve('package.json')).resolve(name);
  } catch {
    return name;
  }
}

/**
 * Digest of a plugin's code, see {@link moduleDigest}, and of a package of what it says of itself: its version above all.
 */
export function pluginDigest(name: string): string {
  const file = pluginFile(name);
  const isPath = name.startsWith('.') || isAbsolute(name);
  const manifest = isPath ? undefined : manifestAbove(file);
  return digestOf(`${moduleDigest(file)} ${manifest === undefined ? '' : readFileSync(manifest, 'utf8')}`);
}

const digestOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
