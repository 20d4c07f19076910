import type { Metrics } from '@metaapo/core/contracts';
import protobuf from 'protobufjs/minimal.js';

const { Writer } = protobuf;

/** The first record of an event file, which names its version. */
export function versionRecord(seconds: number): Buffer {
  // Event (event.proto): wall_time 1, file_version 3.
  return record(Writer.create().uint32(9).double(seconds).uint32(26).string('brain.Event:2').finish());
}

/** Scalars of a step as a record. */
export function eventRecord(seconds: number, step: number, metrics: Metrics): Buffer {
  // Event: wall_time 1, step 2, summary 5. Summary: repeated value 1. Value: tag 1, simple_value 2.
  const event = Writer.create().uint32(9).double(seconds).uint32(16).int64(step).uint32(42).fork();
  for (const [tag, value] of Object.entries(metrics)) {
    event.uint32(10).fork().uint32(10).string(tag).uint32(21).float(value).ldelim();
  }
  return record(event.ldelim().finish());
}

/** TFRecord framing: length and its masked checksum, data and its masked checksum; little-endian. */
function record(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(data.length + 16);
  framed.writeBigUInt64LE(BigInt(data.length), 0);
  framed.writeUInt32LE(maskedChecksum(framed.subarray(0, 8)), 8);
  framed.set(data, 12);
  framed.writeUInt32LE(maskedChecksum(data), data.length + 12);
  return framed;
}

function maskedChecksum(data: Uint8Array): number {
  const sum = crc32c(data);
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C (RFC 3720), reflected polynomial 0x82f63b78. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function crc32c(data: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of data) sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 0xff]!;
  return (sum ^ 0xffffffff) >>> 0;
}
