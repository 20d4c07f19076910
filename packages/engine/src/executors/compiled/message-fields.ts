import protobuf from 'protobufjs/minimal.js';

// A protocol buffer message is the bytes of its fields, one behind the other.
const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

const tag = (field: number, wireType: number): number => field * 8 + wireType;

/** A field that holds an integer, a boolean or an enumeration's number. */
export function integerField(field: number, value: number): Uint8Array {
  return protobuf.Writer.create().uint32(tag(field, VARINT)).int64(value).finish();
}

/** A field that holds a float32. */
export function floatField(field: number, value: number): Uint8Array {
  return protobuf.Writer.create().uint32(tag(field, FIXED32)).float(value).finish();
}

/** A field that holds bytes, among them those of another message. */
export function bytesField(field: number, content: Uint8Array): Uint8Array {
  return protobuf.Writer.create().uint32(tag(field, LENGTH_DELIMITED)).bytes(content).finish();
}

/** A field that holds text. */
export function textField(field: number, text: string): Uint8Array {
  return protobuf.Writer.create().uint32(tag(field, LENGTH_DELIMITED)).string(text).finish();
}

/** A field that holds a message of the given fields. */
export function messageField(field: number, ...fields: readonly Uint8Array[]): Uint8Array {
  return bytesField(field, Buffer.concat(fields));
}
