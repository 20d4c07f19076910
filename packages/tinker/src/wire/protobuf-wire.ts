import { byteWriter } from './byte-writer.js';
import { bytesField, bytesOf, doubleField, entriesOf, numberField, numberOf, readFields, varint } from './protobuf.js';
import { type Datum, type DrawnSequence, type TokenField, tokensOfDatum, type Wire } from './wire.js';

const CONTENT_TYPE = 'application/x-protobuf';

/** Numbers of element types. */
const FLOAT32 = 1;
const INT64 = 2;

/** Passes as protobuf messages, which servers of the second generation take; arrays are little-endian bytes. */
export const protobufWire: Wire = {
  id: 'protobuf',
  accept: CONTENT_TYPE,
  sizeOf: (datum) => 150 + tokensOfDatum(datum) * (12 + 4 * Object.keys(datum.fields).length),
  encodePass({ modelId, sequence, data, lossName, lossConfig, isForwardOnly }) {
    const out = byteWriter(data.reduce((sum, datum) => sum + protobufWire.sizeOf(datum), 500));
    out.bytes(bytesField(1, modelId));
    out.bytes(numberField(2, sequence));
    for (const datum of data) out.bytes(bytesField(3, datumFields(datum)));
    out.bytes(bytesField(4, lossName));
    for (const [name, value] of Object.entries(lossConfig ?? {})) {
      out.bytes(bytesField(5, [bytesField(1, name), doubleField(2, value)]));
      out.bytes(bytesField(7, [bytesField(1, name), bytesField(2, doubleField(1, value))]));
    }
    if (isForwardOnly) out.bytes(numberField(6, 1));
    return { path: 'forward_backward', contentType: CONTENT_TYPE, body: out.end() };
  },
  decodePass(body) {
    const fields = readFields(body);
    const logprobs = bytesOf(fields, 2).flatMap((bytes) => {
      const record = entriesOf(readFields(bytes), 2).find(([name]) => name === 'logprobs')?.[1];
      return record === undefined ? [] : slicesOf(readFields(bytesOf(record, 2).at(-1)!));
    });
    return {
      logprobs,
      metrics: Object.fromEntries(entriesOf(fields, 3).map(([name, entry]) => [name, numberOf(entry, 2)])),
    };
  },
  decodeSamples: (body) =>
    bytesOf(readFields(body), 1).map((bytes): DrawnSequence => {
      const fields = readFields(bytes);
      const array = (number: number): ArrayBuffer => copyOf(bytesOf(fields, number).at(-1) ?? Buffer.alloc(0));
      return {
        tokens: new Int32Array(array(2)),
        logprobs: new Float32Array(array(3)),
        stopReason: numberOf(fields, 1) === 0 ? 'stop' : 'length',
      };
    }),
};

function datumFields(datum: Datum): Uint8Array[] {
  const { prompt, response, fields } = datum;
  const count = tokensOfDatum(datum);
  const ids = new Int32Array(prompt.length + response.length);
  ids.set(prompt);
  ids.set(response, prompt.length);
  const targets = new Int32Array(2 * count);
  for (let at = 0; at < count; at++) targets[2 * at] = ids[at + 1]!;
  const inputs = Object.entries(fields).map(([name, field]) =>
    bytesField(2, [
      bytesField(1, name),
      bytesField(2, tensor(valuesOf(field, prompt.length - 1, count), FLOAT32, count)),
    ]),
  );
  return [
    bytesField(1, bytesField(1, bytesField(1, bytesOfArray(ids.subarray(0, -1))))),
    bytesField(2, [bytesField(1, 'target_tokens'), bytesField(2, tensor(targets, INT64, count))]),
    ...inputs,
  ];
}

function tensor(values: Int32Array | Float32Array, type: number, count: number): Uint8Array[] {
  return [bytesField(1, bytesOfArray(values)), numberField(3, type), bytesField(4, varint(count))];
}

function valuesOf({ scale, values }: TokenField, before: number, count: number): Float32Array {
  const all = new Float32Array(count);
  if (values === undefined) return all.fill(scale, before);
  for (const [at, value] of values.entries()) all[before + at] = scale * value;
  return all;
}

function bytesOfArray(values: Int32Array | Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** An array of its own, since bytes inside a message may lie at any place. */
function copyOf(bytes: Buffer): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** The arrays of a batched tensor, which lie one behind another; offsets are int64 and count bytes. */
function slicesOf(fields: ReturnType<typeof readFields>): Float32Array[] {
  const data = bytesOf(fields, 1).at(-1) ?? Buffer.alloc(0);
  const offsets = bytesOf(fields, 2).at(-1) ?? Buffer.alloc(0);
  if (numberOf(fields, 3) !== FLOAT32) throw new RangeError('log-probabilities are no float32');
  const at = (index: number): number => Number(offsets.readBigInt64LE(8 * index));
  return Array.from({ length: offsets.length / 8 - 1 }, (_, index) => {
    return new Float32Array(copyOf(data.subarray(at(index), at(index + 1))));
  });
}
