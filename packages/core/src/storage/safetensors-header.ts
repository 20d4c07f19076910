import { MetaapoError } from '../contracts/index.js';
import { strictJsonFault } from './json-strict.js';

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

/** What the header of a safetensors file says. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const HEADER = 'an object of tensors by name';
const ENTRY = '{dtype, shape, data_offsets}';

/** A value as a message can show it. */
const shortened = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);

/** An error with code `checkpoint` about a file of tensors. */
export function corrupt(file: string, summary: string, expected: string, got: string, cause?: unknown): MetaapoError {
  return new MetaapoError('checkpoint', summary, {
    where: file,
    expected,
    got,
    ...(cause !== undefined && { cause }),
    remedy: 'Download or save the file again',
  });
}

/**
 * Parses the header of a safetensors file, as strictly as the format's own library or more so: no key twice, no gap and
 * no overlap between tensors, metadata of text alone, nothing after the last tensor.
 * @param bytes the header without the eight bytes of its length
 * @param size bytes of the whole file
 * @throws MetaapoError with code `checkpoint` that says what is wrong
 */
export function parseSafetensorsHeader(file: string, bytes: Uint8Array, size: number): SafetensorsHeader {
  const header = jsonOf(file, bytes);
  const { __metadata__: metadata, ...entries } = header;
  const start = 8 + bytes.length;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(entries)) tensors.set(name, checkEntry(file, name, entry, start));
  checkPlaces(file, tensors, start, size);
  return { tensors, metadata: checkMetadata(file, metadata) };
}

function jsonOf(file: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw corrupt(file, 'the header is no JSON', HEADER, (cause as Error).message, cause);
  }
  if (!isRecord(header) || !text.startsWith('{')) {
    throw corrupt(file, 'the header is no JSON object', HEADER, shortened(header));
  }
  const fault = strictJsonFault(text);
  if (fault !== undefined) throw corrupt(file, `the header is ambiguous: ${fault.summary}`, HEADER, `byte ${fault.at}`);
  return header;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkMetadata(file: string, metadata: unknown): Readonly<Record<string, string>> {
  if (metadata === undefined || metadata === null) return {};
  const isText = isRecord(metadata) && Object.values(metadata).every((value) => typeof value === 'string');
  if (!isText) throw corrupt(file, 'the metadata is no object of text', '{"format": "pt"}', shortened(metadata));
  return metadata as Record<string, string>;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function checkEntry(file: string, name: string, entry: unknown, start: number): StoredTensor {
  const shown = { toString: () => shortened(name) };
  if (!isRecord(entry)) throw corrupt(file, `tensor ${shown} is not described by an object`, ENTRY, shortened(entry));
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isStoredType(dtype)) {
    const known = Object.keys(ELEMENT_BYTES).join(', ');
    throw corrupt(file, `tensor ${shown} has an unknown type`, known, shortened(dtype));
  }
  const hasPlace = Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount);
  if (!Array.isArray(shape) || !shape.every(isCount) || !hasPlace) {
    throw corrupt(file, `tensor ${shown} has no shape or offsets`, ENTRY, shortened(entry));
  }
  const [begin, end] = offsets as [number, number];
  const expected = bytesOfShape(dtype, shape);
  if (end - begin !== expected) {
    const wanted = `${expected} bytes for [${shortened(shape)}]`;
    throw corrupt(file, `tensor ${shown} has the wrong length`, wanted, `${end - begin}`);
  }
  return { dtype, shape, begin: start + begin, end: start + end };
}

const isStoredType = (dtype: unknown): dtype is StoredType =>
  typeof dtype === 'string' && Object.hasOwn(ELEMENT_BYTES, dtype);

/** Bytes of a tensor; `Infinity` where the product is too large to be counted, also on the way to a 0. */
export function bytesOfShape(dtype: StoredType, shape: readonly number[]): number {
  const multiply = (product: number, size: number): number =>
    Number.isSafeInteger(product * size) ? product * size : Number.POSITIVE_INFINITY;
  const product = shape.reduce(multiply, 1);
  return Number.isFinite(product) ? product * ELEMENT_BYTES[dtype] : Number.POSITIVE_INFINITY;
}

/** Each tensor begins where the one before it ends, and the last one ends with the file. */
function checkPlaces(file: string, tensors: ReadonlyMap<string, StoredTensor>, start: number, size: number): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = start;
  for (const [name, tensor] of sorted) {
    if (tensor.begin !== end) {
      const summary = tensor.begin < end ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw corrupt(file, `tensor ${shortened(name)} ${summary}`, `its first byte at ${end}`, `${tensor.begin}`);
    }
    end = tensor.end;
  }
  if (end > size) throw corrupt(file, 'the file is truncated', `${end} bytes`, `${size}`);
  if (end < size) throw corrupt(file, 'the file is longer than its tensors', `${end} bytes`, `${size}`);
}
