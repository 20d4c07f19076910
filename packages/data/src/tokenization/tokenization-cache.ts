import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { writeAtomically } from '@metaapo/core/storage';
import { type DataFile, rowsOfFile } from '../rows/data-file.js';

/** What tokenised rows follow from. */
export interface TokenizationKey {
  /** Which kind of rows, with every option of reading and tokenising them. */
  readonly settings: unknown;
  /** Fingerprint of the tokenizer; `undefined` for token ids alone. */
  readonly tokenizer: string | undefined;
  /** The data files in order: their contents count, and their names, which reports show. */
  readonly files: readonly DataFile[];
}

/** Raised when the same rows become other ids. */
const RULES = 1;

/** How long a result that nobody reads is kept, in milliseconds. */
const LIFETIME = 30 * 86_400_000;

/**
 * Tokenised rows from the cache, or computed and kept there. A damaged file of the cache is computed anew.
 * @param directory made where it is missing; results that were not read for 30 days are removed from it
 * @param compute plain data, with token ids in `Int32Array`s
 */
export async function cachedTokenization<Result>(
  directory: string,
  key: TokenizationKey,
  compute: () => Promise<Result>,
): Promise<Result> {
  const digests = await Promise.all(key.files.map((file) => digestOf(rowsOfFile(file).file)));
  const name = createHash('sha256')
    .update(JSON.stringify([RULES, key, digests]))
    .digest('hex');
  const file = join(directory, `${name}.ids`);
  const known = await readPacked<Result>(file);
  if (known !== undefined) return known;
  const result = await compute();
  await mkdir(directory, { recursive: true });
  await removeUnread(directory);
  await writeAtomically(file, packed(result));
  return result;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** A file: checksum of all that follows, length of the JSON, the JSON padded to whole ids, ids. */
const CHECKSUM = 32;

function packed(result: unknown): Uint8Array {
  const arrays: Int32Array[] = [];
  const json = JSON.stringify(result, (_, value: unknown) => {
    if (!(value instanceof Int32Array)) return value;
    arrays.push(value);
    return { $ids: value.length };
  });
  const text = Buffer.from(json.padEnd(json.length + ((4 - (Buffer.byteLength(json) % 4)) % 4)));
  const head = Buffer.alloc(CHECKSUM + 4);
  head.writeUInt32LE(text.length, CHECKSUM);
  const ids = arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  const file = Buffer.concat([head, text, ...ids]);
  checksumOf(file).copy(file);
  return file;
}

const checksumOf = (file: Uint8Array): Buffer => createHash('sha256').update(file.subarray(CHECKSUM)).digest();

async function readPacked<Result>(file: string): Promise<Result | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes === undefined || bytes.length < CHECKSUM + 4 || !checksumOf(bytes).equals(bytes.subarray(0, CHECKSUM))) {
    return undefined;
  }
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined);
  try {
    return unpacked(bytes) as Result;
  } catch {
    // Of another form than this version writes.
    return undefined;
  }
}

function unpacked(bytes: Buffer): unknown {
  const start = CHECKSUM + 4;
  const end = start + bytes.readUInt32LE(CHECKSUM);
  const ids = new Int32Array(bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length));
  let at = 0;
  const value: unknown = JSON.parse(bytes.toString('utf8', start, end), (_, inner: unknown) => {
    const length = (inner as { readonly $ids?: unknown } | null)?.$ids;
    if (typeof length !== 'number') return inner;
    at += length;
    if (at > ids.length) throw new RangeError('more ids than there are');
    return ids.subarray(at - length, at);
  });
  return value;
}

async function removeUnread(directory: string): Promise<void> {
  const oldest = Date.now() - LIFETIME;
  for (const name of await readdir(directory)) {
    const file = join(directory, name);
    const isOld = await stat(file).then(
      ({ mtimeMs }) => mtimeMs < oldest,
      () => false,
    );
    if (isOld && name.endsWith('.ids')) await rm(file, { force: true });
  }
}
