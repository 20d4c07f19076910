/** A field of a protobuf message: its number, and its bytes or, for the types of fixed and variable size, its number. */
export interface ProtobufField {
  readonly number: number;
  readonly value: Buffer | number;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A whole number, 0 or above, seven bits a byte: also what a list of numbers is made of. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= 128) {
    bytes.push((left % 128) | 128);
    left = Math.floor(left / 128);
  }
  return Buffer.from([...bytes, left]);
}

/** A field that holds a whole number, 0 or above. */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8 + VARINT), varint(value)]);
}

/** A field that holds a float64. */
export function doubleField(number: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint(number * 8 + FIXED64), bytes]);
}

/** A field that holds bytes, a text or a message of these fields. */
export function bytesField(number: number, value: string | Uint8Array | readonly Uint8Array[]): Buffer {
  const pieces = typeof value === 'string' ? [Buffer.from(value)] : value instanceof Uint8Array ? [value] : value;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return Buffer.concat([varint(number * 8 + BYTES), varint(length), ...pieces]);
}

/**
 * The fields of a message in their order; the bytes are borrowed.
 * @throws RangeError for bytes that are no message
 */
export function readFields(message: Buffer): readonly ProtobufField[] {
  const fields: ProtobufField[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = message.readUInt8(at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    // Ten bytes are a negative number.
    return message.readUInt8(at++) < 128 ? -1 : Number.NaN;
  };
  const take = (length: number): Buffer => {
    if (!(at + length <= message.length)) throw new RangeError('a protobuf message ends too early');
    at += length;
    return message.subarray(at - length, at);
  };
  const readValue = (type: number): Buffer | number => {
    if (type === VARINT) return readVarint();
    if (type === FIXED64) return take(8).readDoubleLE();
    if (type === FIXED32) return take(4).readFloatLE();
    if (type === BYTES) return take(readVarint());
    throw new RangeError(`a protobuf field has the type ${type}`);
  };
  while (at < message.length) {
    const tag = readVarint();
    fields.push({ number: Math.floor(tag / 8), value: readValue(tag % 8) });
  }
  return fields;
}

/** The bytes of all fields of a number. */
export function bytesOf(fields: readonly ProtobufField[], number: number): readonly Buffer[] {
  return fields.flatMap((field) => (field.number === number && typeof field.value !== 'number' ? [field.value] : []));
}

/** The last number in the fields of a number; 0, as protobuf has it, where there is none. */
export function numberOf(fields: readonly ProtobufField[], number: number): number {
  const value = fields.findLast((field) => field.number === number)?.value;
  return typeof value === 'number' ? value : 0;
}

/** The entries of a map whose keys are texts. */
export function entriesOf(
  fields: readonly ProtobufField[],
  number: number,
): readonly (readonly [key: string, entry: readonly ProtobufField[]])[] {
  return bytesOf(fields, number).map((bytes) => {
    const entry = readFields(bytes);
    return [bytesOf(entry, 1).at(-1)?.toString('utf8') ?? '', entry];
  });
}
