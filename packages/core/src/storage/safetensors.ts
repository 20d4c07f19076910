import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { MetaapoError } from '../contracts/index.js';
import { bfloat16FromFloat32, float32FromBfloat16, float32FromFloat16 } from './float-formats.js';
import { putInPlace } from './put-in-place.js';
import {
  bytesOfShape,
  corrupt,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type StoredTensor,
} from './safetensors-header.js';

/** An open file of tensors, format safetensors. */
export interface SafetensorsFile extends SafetensorsHeader {
  readonly file: string;
  /** Key of the header: with {@link writeSafetensors}'s checksums in it, of all the file's numbers. */
  readonly digest: string;
  /** True when every tensor has a checksum in the header, with which its numbers are compared. */
  readonly hasDigests: boolean;
  /**
   * The numbers of one tensor as float32; I64 and I32 are converted. Compared with their checksum, where the file has one.
   * @throws MetaapoError with code `checkpoint` when there is no such tensor, or its numbers were changed
   */
  read(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

const HEADER_LIMIT = 100_000_000;

/**
 * Opens a safetensors file and checks its header against the file's size.
 * @throws MetaapoError with code `checkpoint` when the file is missing, truncated or inconsistent
 */
export async function openSafetensors(file: string): Promise<SafetensorsFile> {
  if (endianness() !== 'LE')
    throw new MetaapoError('config', 'safetensors is read on little-endian machines only', { where: file });
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw new MetaapoError('checkpoint', 'the file cannot be opened', {
      where: file,
      expected: 'a safetensors file that may be read',
      got: (cause as NodeJS.ErrnoException).code ?? String(cause),
      cause,
      remedy: 'Check the path and its permissions',
    });
  });
  try {
    const { tensors, metadata, digest, digests } = await readHeader(handle, file);
    return {
      file,
      tensors,
      metadata,
      digest,
      hasDigests: [...tensors.keys()].every((name) => digests.has(name)),
      async read(name) {
        const tensor = tensors.get(name);
        if (tensor === undefined) throw corrupt(file, `there is no tensor ${name}`, name, `${tensors.size} others`);
        const bytes = await readBytes(handle, file, tensor.begin, tensor.end);
        checkDigest(file, name, bytes, digests.get(name));
        return toFloat32(bytes, tensor, `${file}, tensor ${name}`);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readBytes(handle: FileHandle, file: string, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), begin + done);
    if (bytesRead === 0) throw corrupt(file, 'the file is truncated', `${end} bytes`, `${begin + done}`);
    done += bytesRead;
  }
  return bytes;
}

async function readHeader(handle: FileHandle, file: string): Promise<Header> {
  const { size } = await handle.stat();
  if (size < 8) throw corrupt(file, 'the file is truncated', 'at least 8 bytes', `${size}`);
  const length = Number(new DataView((await readBytes(handle, file, 0, 8)).buffer).getBigUint64(0, true));
  if (length > HEADER_LIMIT || 8 + length > size) {
    throw corrupt(file, 'the header is longer than the file or the limit', `at most ${size - 8} bytes`, `${length}`);
  }
  const bytes = await readBytes(handle, file, 8, 8 + length);
  const { tensors, metadata } = parseSafetensorsHeader(file, bytes, size);
  const { [DIGESTS]: digests, ...others } = metadata;
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { tensors, metadata: others, digest, digests: parseDigests(file, digests) };
}

interface Header extends SafetensorsHeader {
  readonly digest: string;
  /** Checksums by tensor, in files that have them. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Metadata of files written here: a checksum of each tensor's bytes, as JSON. */
const DIGESTS = 'metaapo.sha256';
const DIGEST_LENGTH = 32;

const digestOf = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_LENGTH);

function parseDigests(file: string, text: string | undefined): ReadonlyMap<string, string> {
  if (text === undefined) return new Map();
  try {
    const parsed: unknown = JSON.parse(text);
    return new Map(Object.entries(parsed as Record<string, string>));
  } catch (cause) {
    throw corrupt(file, `the metadata ${DIGESTS} is damaged`, 'checksums by tensor', text.slice(0, 80), cause);
  }
}

function checkDigest(file: string, name: string, bytes: Uint8Array, expected: string | undefined): void {
  if (expected === undefined) return;
  const got = digestOf(bytes);
  if (got === expected) return;
  throw new MetaapoError('checkpoint', `the numbers of tensor ${name} are not those that were written`, {
    where: file,
    expected: `the checksum ${expected}`,
    got,
    remedy:
      'Restore the file from a copy, or delete it and save it again: its disk may be failing. If another program changed it on purpose, have that one leave out the metadata metaapo.sha256',
  });
}

function toFloat32(bytes: Uint8Array, { dtype }: StoredTensor, where: string): Float32Array {
  const { buffer } = bytes as Uint8Array<ArrayBuffer>;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'BF16':
      return float32FromBfloat16(new Uint16Array(buffer));
    case 'F16':
      return float32FromFloat16(new Uint16Array(buffer));
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    default:
      throw new MetaapoError('checkpoint', `elements of type ${dtype} are not numbers of a model`, { where });
  }
}

/** A tensor to be written; `read` is called once, when its turn comes. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'F32' | 'BF16';
  read(): Promise<Float32Array>;
}

/**
 * Writes a safetensors file, one tensor in memory at a time, and puts it in place when it is complete and on the disk.
 * Its metadata holds a checksum of each tensor.
 * @returns key of the header and with it of all numbers: what `openSafetensors` gives as `digest`
 * @throws MetaapoError with code `checkpoint` when a tensor has not the size it declared, `numerics` when one holds a
 * number that is not finite; then nothing is written
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<string> {
  return putInPlace(file, async (temporary) => {
    const handle = await open(temporary, 'wx');
    try {
      const digests = tensors.map(({ name }): [string, string] => [name, '0'.repeat(DIGEST_LENGTH)]);
      await writeAll(handle, headerOf(tensors, metadata, digests));
      for (const [index, tensor] of tensors.entries()) {
        const bytes = bytesOfTensor(file, tensor, await tensor.read());
        digests[index]![1] = digestOf(bytes);
        await writeAll(handle, bytes);
      }
      const header = headerOf(tensors, metadata, digests);
      await writeAll(handle, header, 0);
      await handle.sync();
      return createHash('sha256').update(header.subarray(8)).digest('hex');
    } finally {
      await handle.close();
    }
  });
}

function bytesOfTensor(file: string, { name, shape, dtype }: TensorToWrite, values: Float32Array): Uint8Array {
  const expected = shape.reduce((product, dimension) => product * dimension, 1);
  if (values.length !== expected) {
    throw corrupt(file, `tensor ${name} has the wrong size`, `${expected}`, `${values.length}`);
  }
  const place = firstBeyond(values, dtype === 'BF16' ? ROUNDED_TO_INFINITY : INFINITE);
  if (place < values.length) {
    throw new MetaapoError(
      'numerics',
      `tensor ${name} holds ${values[place]} at position ${place}, so nothing is saved`,
      {
        where: file,
        expected: 'finite numbers',
        remedy: 'Go on from an earlier checkpoint with a lower learning rate, or look at the rows of the last step',
      },
    );
  }
  const words = dtype === 'BF16' ? bfloat16FromFloat32(values) : values;
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** @param at place of the first byte; default after what was written before */
async function writeAll(handle: FileHandle, bytes: Uint8Array, at?: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const place = at === undefined ? null : at + done;
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30), place);
    done += bytesWritten;
  }
}

function headerOf(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
  digests: readonly (readonly [string, string])[],
): Uint8Array {
  let offset = 0;
  const entries = tensors.map(({ name, shape, dtype }) => {
    const begin = offset;
    offset += bytesOfShape(dtype, shape);
    return [name, { dtype, shape, data_offsets: [begin, offset] }];
  });
  const own = { ...metadata, [DIGESTS]: JSON.stringify(Object.fromEntries(digests)) };
  const json = JSON.stringify({ __metadata__: own, ...Object.fromEntries(entries) });
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  return bytes;
}

/** Bits of infinity, and of the least float32 that is rounded to it as bfloat16. */
const [INFINITE, ROUNDED_TO_INFINITY] = [0x7f800000, 0x7f7f8000];

/** The place of the first number of at least this size, by the bits of both, or that is none; the length without one. */
function firstBeyond(values: Float32Array, bitsOfLeast: number): number {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  let place = 0;
  while (place < bits.length && (bits[place]! & 0x7fffffff) < bitsOfLeast) place++;
  return place;
}

/** @throws MetaapoError with code `checkpoint` that names the tensor and the position of a NaN or an infinity */
export function requireFinite(values: Float32Array, name: string, where: string): void {
  const place = firstBeyond(values, INFINITE);
  if (place === values.length) return;
  throw new MetaapoError('checkpoint', `tensor ${name} holds ${values[place]} at position ${place}`, {
    where,
    expected: 'finite numbers',
    remedy: 'Take an earlier checkpoint; this one comes from a training that diverged, or is damaged',
  });
}
