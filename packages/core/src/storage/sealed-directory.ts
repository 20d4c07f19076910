import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { z } from 'zod';
import { MetaapoError } from '../contracts/index.js';
import { openSafetensors } from './safetensors.js';

const SEAL = 'checksums.json';
const MOST_FILES = 10_000;
const seal = z.record(z.string(), z.object({ size: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }));

type Seal = z.infer<typeof seal>;

/**
 * Writes checksums.json into a directory: size and checksum of every file that is in it. Of a file of tensors that has
 * checksums of its own it is the header's, so that numbers are compared when they are read, and not twice.
 */
export async function sealDirectory(directory: string): Promise<void> {
  await writeFile(join(directory, SEAL), `${JSON.stringify(await sealOf(directory), null, 2)}\n`);
}

/**
 * Compares a directory with what {@link sealDirectory} wrote.
 * @throws MetaapoError with code `checkpoint` that names the file which was changed, added or taken away
 */
export async function requireSealed(directory: string): Promise<void> {
  const expected = await readSeal(directory);
  const found = await sealOf(directory);
  for (const name of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const [before, now] = [expected, found].map((one) => (Object.hasOwn(one, name) ? one[name] : undefined));
    if (before?.sha256 === now?.sha256 && before?.size === now?.size) continue;
    throw broken(join(directory, name), shown(before), shown(now));
  }
}

const shown = (file: Seal[string] | undefined): string =>
  file === undefined ? 'no such file' : `${file.size} bytes with the checksum ${file.sha256.slice(0, 12)}`;

async function readSeal(directory: string): Promise<Seal> {
  const file = join(directory, SEAL);
  try {
    return seal.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    throw broken(file, 'checksums of the files beside it', 'none');
  }
}

function broken(where: string, expected: string, got: string): MetaapoError {
  return new MetaapoError('checkpoint', 'the checkpoint is not as it was written', {
    where,
    expected,
    got,
    remedy:
      'Restore its directory from a copy, or delete it: a run then begins its iteration anew from what its journal holds, a single training begins anew',
  });
}

async function sealOf(directory: string): Promise<Seal> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => name !== SEAL)
    .sort();
  if (files.length > MOST_FILES) throw broken(directory, `at most ${MOST_FILES} files`, `${files.length}`);
  const sealed: [string, Seal[string]][] = [];
  for (const name of files) sealed.push([name, await checksumOf(join(directory, name))]);
  return Object.fromEntries(sealed);
}

async function checksumOf(file: string): Promise<Seal[string]> {
  const found = await stat(file);
  if (!found.isFile()) throw broken(file, 'a file', 'something else');
  return { size: found.size, sha256: await (file.endsWith('.safetensors') ? headerDigest(file) : digestOf(file)) };
}

async function headerDigest(file: string): Promise<string> {
  const opened = await openSafetensors(file);
  await opened.close();
  return opened.hasDigests ? opened.digest : digestOf(file);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
