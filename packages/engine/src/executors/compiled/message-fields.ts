/**
 * Fields of protocol buffer messages (protobuf.dev/programming-guides/encoding): a message is the bytes of its fields,
 * one behind the other.
 */

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const tag = (field: number, wireType: number): number => field * 8 + wireType;

/** A field that holds an integer (negative ones as 64-bit two's complement), a boolean or an enumeration's number. */
export function integerField(field: number, value: number): Buffer {
  return Buffer.concat([varint(tag(field, VARINT)), varint(value)]);
}

/** A field that holds bytes, among them those of another message. */
export function bytesField(field: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(tag(field, LENGTH_DELIMITED)), varint(content.length), content]);
}

/** A field that holds text. */
export function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text));
}

/** A field that holds a message of the given fields. */
export function messageField(field: number, ...fields: readonly Uint8Array[]): Buffer {
  return bytesField(field, Buffer.concat(fields));
}
