/** Bytes that are written one after another, in a buffer that grows. */
export interface ByteWriter {
  /** Characters of one byte each. */
  ascii(text: string): void;
  bytes(values: Uint8Array): void;
  /** Everything so far; the writer is not used afterwards. */
  end(): Uint8Array;
}

/** @param expected bytes that are likely to come */
export function byteWriter(expected: number): ByteWriter {
  let buffer = Buffer.allocUnsafe(Math.max(expected, 64));
  let length = 0;
  const reserve = (more: number): void => {
    if (length + more <= buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, length + more));
    buffer.copy(larger, 0, 0, length);
    buffer = larger;
  };
  return {
    ascii(text) {
      reserve(text.length);
      length += buffer.write(text, length, 'latin1');
    },
    bytes(values) {
      reserve(values.length);
      buffer.set(values, length);
      length += values.length;
    },
    end: () => buffer.subarray(0, length),
  };
}
