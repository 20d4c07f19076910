import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { endianness } from 'node:os';
import { MetaapoError } from '../contracts/index.js';
import { bfloat16FromFloat32, float32FromBfloat16, float32FromFloat16 } from './float-formats.js';

/** Element types that are read; `F32` and `BF16` are written. */
const ELEMENT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;

/** Name of an element type inside the file. */
export type StoredType = keyof typeof ELEMENT_BYTES;

/** Where and how a tensor is stored. */
export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Byte range from the beginning of the file. */
  readonly begin: number;
  readonly end: number;
}

/** An open file of tensors, format safetensors. */
export interface SafetensorsFile {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** The numbers of one tensor as float32; I64 and I32 are converted. */
  read(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

const HEADER_LIMIT = 100_000_000;
const HEADER = 'an object of tensors by name';
const ENTRY = '{dtype, shape, data_offsets}';

/** A value as a message can show it. */
const shortened = (value: unknown): string => JSON.stringify(value).slice(0, 80);

function corrupt(file: string, summary: string, expected: string, got: string, cause?: unknown): MetaapoError {
  return new MetaapoError('checkpoint', summary, {
    where: file,
    expected,
    got,
    ...(cause !== undefined && { cause }),
    remedy: 'Download or save the file again',
  });
}

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
    const { tensors, metadata } = await readHeader(handle, file);
    return {
      file,
      tensors,
      metadata,
      async read(name) {
        const tensor = tensors.get(name);
        if (tensor === undefined) throw corrupt(file, `there is no tensor ${name}`, name, `${tensors.size} others`);
        return toFloat32(await readBytes(handle, file, tensor.begin, tensor.end), tensor, `${file}, tensor ${name}`);
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

async function readHeader(handle: FileHandle, file: string): Promise<Pick<SafetensorsFile, 'tensors' | 'metadata'>> {
  const { size } = await handle.stat();
  if (size < 8) throw corrupt(file, 'the file is truncated', 'at least 8 bytes', `${size}`);
  const length = Number(new DataView((await readBytes(handle, file, 0, 8)).buffer).getBigUint64(0, true));
  if (length > HEADER_LIMIT || 8 + length > size) {
    throw corrupt(file, 'the header is longer than the file or the limit', `at most ${size - 8} bytes`, `${length}`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(await readBytes(handle, file, 8, 8 + length)));
  } catch (cause) {
    throw corrupt(file, 'the header is no JSON', HEADER, (cause as Error).message, cause);
  }
  if (!isRecord(header)) throw corrupt(file, 'the header is no JSON object', HEADER, shortened(header));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(entries)) {
    tensors.set(name, checkEntry(file, name, entry, 8 + length, size));
  }
  checkOverlap(file, tensors);
  const end = Math.max(8 + length, ...[...tensors.values()].map((tensor) => tensor.end));
  if (end !== size) throw corrupt(file, 'the file is longer than its tensors', `${end} bytes`, `${size}`);
  return { tensors, metadata: metadata as Record<string, string> };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkEntry(file: string, name: string, entry: unknown, start: number, size: number): StoredTensor {
  if (!isRecord(entry)) throw corrupt(file, `tensor ${name} is not described by an object`, ENTRY, shortened(entry));
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = entry as { dtype: StoredType; shape: number[]; data_offsets: number[] };
  const bytes = Object.hasOwn(ELEMENT_BYTES, dtype) ? ELEMENT_BYTES[dtype] : undefined;
  if (bytes === undefined) {
    throw corrupt(file, `tensor ${name} has an unknown type`, Object.keys(ELEMENT_BYTES).join(', '), String(dtype));
  }
  const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount) || !Array.isArray(offsets) || !offsets.every(isCount)) {
    throw corrupt(file, `tensor ${name} has no shape or offsets`, ENTRY, shortened(entry));
  }
  const [begin, end] = offsets as [number, number];
  const expected = shape.reduce((product, dimension) => product * dimension, bytes);
  if (end - begin !== expected) {
    throw corrupt(file, `tensor ${name} has the wrong length`, `${expected} bytes for [${shape}]`, `${end - begin}`);
  }
  if (start + end > size) throw corrupt(file, 'the file is truncated', `${start + end} bytes`, `${size}`);
  return { dtype, shape, begin: start + begin, end: start + end };
}

function checkOverlap(file: string, tensors: ReadonlyMap<string, StoredTensor>): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.begin - b.begin);
  for (const [index, [name, tensor]] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && next[1].begin < tensor.end) {
      throw corrupt(file, `tensors ${name} and ${next[0]} overlap`, `${tensor.end} or later`, `${next[1].begin}`);
    }
  }
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
 * Writes a safetensors file, one tensor in memory at a time, and puts it in place when it is complete.
 * @throws MetaapoError with code `checkpoint` when a tensor has not the size it declared
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w');
  try {
    await writeAll(handle, headerOf(tensors, metadata));
    for (const tensor of tensors) {
      const values = await tensor.read();
      const expected = tensor.shape.reduce((product, dimension) => product * dimension, 1);
      if (values.length !== expected) {
        throw corrupt(file, `tensor ${tensor.name} has the wrong size`, `${expected}`, `${values.length}`);
      }
      const words = tensor.dtype === 'BF16' ? bfloat16FromFloat32(values) : values;
      await writeAll(handle, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    }
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30));
    done += bytesWritten;
  }
}

function headerOf(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>): Uint8Array {
  let offset = 0;
  const entries = tensors.map(({ name, shape, dtype }) => {
    const begin = offset;
    offset += shape.reduce((product, dimension) => product * dimension, ELEMENT_BYTES[dtype]);
    return [name, { dtype, shape, data_offsets: [begin, offset] }];
  });
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  return bytes;
}
