import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { failure } from './explain-failure.js';
import type { PackageTree } from './package-tree.js';

const REMEDY =
  'Fetch it again (`pip download --no-deps --only-binary=:all:` with the name and version of the wheel) and give it with --wheel';

/**
 * Opens a wheel. Files are streamed out of it and compared with the checksums of its RECORD.
 * @param signal stops an extraction
 * @throws MetaapoError with code `backend` for a file that is missing, cut off, or no wheel
 */
export async function openWheel(file: string, signal?: AbortSignal): Promise<PackageTree> {
  const bad = (error: unknown): Error => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || (error as Error).name === 'AbortError') return error as Error;
    const got = code === 'ENOENT' ? 'no such file' : message;
    return failure('This wheel cannot be read', file, got, REMEDY, error);
  };
  try {
    const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
    try {
      const entries = await entriesOf(zip);
      return wheelTree(file, zip, entries, await checksumsOf(zip, entries), bad, signal);
    } catch (error) {
      zip.close();
      throw error;
    }
  } catch (error) {
    throw bad(error);
  }
}

function wheelTree(
  where: string,
  zip: ZipFile,
  entries: ReadonlyMap<string, Entry>,
  checksums: ReadonlyMap<string, string>,
  bad: (error: unknown) => Error,
  signal: AbortSignal | undefined,
): PackageTree {
  return {
    where,
    list: async (folder) => [...entries.keys()].filter((name) => name.startsWith(folder) && !name.endsWith('/')),
    read: async (path) => {
      const entry = entries.get(path);
      return entry && text(await zip.openReadStreamPromise(entry));
    },
    extract: async (path, target) => {
      try {
        const found = await writeEntry(zip, entries.get(path), target, signal);
        const expected = checksums.get(path);
        if (found !== expected) throw new Error(`the checksum of ${path} is not the one in its RECORD`);
      } catch (error) {
        throw bad(Object.assign(error as Error, { path: target }));
      }
    },
    close: () => zip.close(),
  };
}

async function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
  return entries;
}

/** Path -> sha256 (base64url without padding), as the wheel's RECORD says. */
async function checksumsOf(zip: ZipFile, entries: ReadonlyMap<string, Entry>): Promise<Map<string, string>> {
  const record = [...entries.values()].find(({ fileName }) => /^[^/]+\.dist-info\/RECORD$/.test(fileName));
  if (record === undefined) throw new Error('it has no RECORD, so it is no wheel');
  const lines = (await text(await zip.openReadStreamPromise(record))).split(/\r?\n/);
  return new Map(
    lines.flatMap((line) => {
      const parts = /^"?(.+?)"?,sha256=([^,]+),\d*$/.exec(line);
      return parts ? [[parts[1]!, parts[2]!] as const] : [];
    }),
  );
}

async function writeEntry(
  zip: ZipFile,
  entry: Entry | undefined,
  target: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (entry === undefined) throw new Error('a file is missing in it');
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const options = signal === undefined ? {} : { signal };
  await pipeline(await zip.openReadStreamPromise(entry), hashing, createWriteStream(target), options);
  return hash.digest('base64url');
}
