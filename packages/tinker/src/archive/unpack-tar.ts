import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const BLOCK = 512;
/** Kinds of entries that are files. */
const FILES = ['0', '\0'];
/** Kinds of entries that say something of the next one, or of all; they are small. */
const EXTENDED = ['x', 'g'];
const MOST_EXTENDED_BYTES = 1 << 20;

/**
 * Writes the files of a tar archive (POSIX.1-2001, pax) below a directory as the bytes come; an archive is never in memory as
 * a whole. Links and devices are left out.
 * @returns the names of the files
 * @throws Error for an archive that is cut, or names a place outside of the directory
 */
export async function unpackTar(archive: AsyncIterable<Uint8Array>, directory: string): Promise<readonly string[]> {
  const reader = byteReader(archive);
  const names: string[] = [];
  let said: Readonly<Record<string, string>> = {};
  for (;;) {
    const header = await reader.take(BLOCK);
    if (header === undefined || header[0] === 0) return names;
    const type = String.fromCharCode(header[156]!);
    const size = Number(said.size ?? Number.parseInt(textAt(header, 124, 12), 8));
    if (!Number.isSafeInteger(size) || size < 0) throw new Error('an entry of the archive has no size');
    if (EXTENDED.includes(type)) {
      if (size > MOST_EXTENDED_BYTES) throw new Error('a header of the archive is too large');
      said = recordsOf(await whole(reader, size));
    } else if (FILES.includes(type)) {
      const name = plainName(said.path ?? nameIn(header));
      await writeFile(join(directory, name), reader.pieces(size));
      names.push(name);
      said = {};
    } else {
      for await (const _ of reader.pieces(size));
      said = {};
    }
    await reader.take((BLOCK - (size % BLOCK)) % BLOCK);
  }
}

/** Bytes of a stream, as many as are wanted at a time. */
interface ByteReader {
  /** Exactly so many; nothing at the end of the stream. */
  take(length: number): Promise<Buffer | undefined>;
  /** So many in pieces. */
  pieces(length: number): AsyncGenerator<Buffer>;
}

function byteReader(stream: AsyncIterable<Uint8Array>): ByteReader {
  const source = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const { value, done } = await source.next();
    if (done !== true) rest = Buffer.from(value);
    return done !== true;
  };
  async function* pieces(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      if (rest.length === 0 && !(await more())) throw new Error('the archive is cut');
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }
  return {
    pieces,
    async take(length) {
      while (rest.length === 0 && length > 0) if (!(await more())) return undefined;
      const all: Buffer[] = [];
      for await (const piece of pieces(length)) all.push(piece);
      return Buffer.concat(all);
    },
  };
}

async function whole(reader: ByteReader, length: number): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of reader.pieces(length)) all.push(piece);
  return Buffer.concat(all);
}

function textAt(header: Buffer, from: number, length: number): string {
  const text = header.toString('utf8', from, from + length);
  const end = text.indexOf('\0');
  return (end < 0 ? text : text.slice(0, end)).trim();
}

function nameIn(header: Buffer): string {
  const prefix = textAt(header, 257, 5) === 'ustar' ? textAt(header, 345, 155) : '';
  return prefix === '' ? textAt(header, 0, 100) : `${prefix}/${textAt(header, 0, 100)}`;
}

/** Records of an extended header: `length name=value` and a line break each, the length that of the record. */
function recordsOf(bytes: Buffer): Readonly<Record<string, string>> {
  const records: [string, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 20), 10);
    if (!(length > 0)) break;
    const [, name, value] = /^\d+ ([^=]+)=(.*)\n$/s.exec(bytes.toString('utf8', at, at + length)) ?? [];
    if (name !== undefined) records.push([name, value!]);
    at += length;
  }
  return Object.fromEntries(records);
}

/** A name below the directory: what leads out of it, or is no name of a file, is refused. */
function plainName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const isPlain = parts.length > 0 && parts.every((part) => /^[\w.+-][\w .+-]*$/.test(part) && part !== '..');
  if (!isPlain || name.startsWith('/')) throw new Error(`the archive has a file of the name ${JSON.stringify(name)}`);
  return parts.join('/');
}

async function writeFile(file: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'wx');
  try {
    for await (const piece of pieces) await handle.write(piece);
  } finally {
    await handle.close();
  }
}
