import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { jsonWire } from '../src/wire/json-wire.js';
import { bytesOf, readFields } from '../src/wire/protobuf.js';
import { protobufWire } from '../src/wire/protobuf-wire.js';
import type { PassRequest } from '../src/wire/wire.js';

const golden = JSON.parse(readFileSync(new URL('fixtures/messages.json', import.meta.url), 'utf8')) as {
  readonly [Name in 'request' | 'output' | 'samples']: string;
};
const bytes = (name: keyof typeof golden): Buffer => Buffer.from(golden[name], 'hex');

const request: PassRequest = {
  modelId: 'model_1',
  sequence: 300,
  lossName: 'cispo',
  lossConfig: { clip_low_threshold: 1, clip_high_threshold: 1 },
  isForwardOnly: false,
  data: [
    {
      prompt: Int32Array.of(5, 70_000),
      response: Int32Array.of(2, 9),
      fields: { weights: { scale: 1 }, advantages: { scale: -0.5, values: Float32Array.of(1, -4.5) } },
    },
  ],
};

/** The fields of a message without regard to their order, in which maps may be written as one likes. */
function sorted(message: Buffer): readonly string[] {
  return readFields(message)
    .map(({ number, value }) => `${number} ${typeof value === 'number' ? value : unordered(value)}`)
    .sort();
}

/** A text as it is; entries of maps and messages inside by their bytes, sorted. */
const unordered = (value: Buffer): string => [...value].sort((a, b) => a - b).join(',');

describe('messages of the wire', () => {
  it('are written as the classes of the SDK write them', () => {
    const { body, contentType, path } = protobufWire.encodePass(request);
    expect([contentType, path]).toEqual(['application/x-protobuf', 'forward_backward']);
    const [own, theirs] = [Buffer.from(body), bytes('request')];
    expect(sorted(own)).toEqual(sorted(theirs));
    const chunkOf = (message: Buffer): Buffer => bytesOf(readFields(bytesOf(readFields(message), 3)[0]!), 1)[0]!;
    expect(chunkOf(own)).toEqual(chunkOf(theirs));
    const inputsOf = (message: Buffer): readonly string[] =>
      bytesOf(readFields(bytesOf(readFields(message), 3)[0]!), 2)
        .map((entry) => entry.toString('hex'))
        .sort();
    expect(inputsOf(own)).toEqual(inputsOf(theirs));
  });

  it('are read as the classes of the SDK wrote them', () => {
    expect(protobufWire.decodePass(bytes('output'))).toEqual({
      logprobs: [Float32Array.of(-0.5, -1.25), Float32Array.of(-3)],
      metrics: { 'loss:sum': -1.5 },
    });
    expect(protobufWire.decodeSamples(bytes('samples'))).toEqual([
      { tokens: Int32Array.of(7, 0), logprobs: Float32Array.of(-0.25, -2), stopReason: 'stop' },
      { tokens: Int32Array.of(3), logprobs: Float32Array.of(-1), stopReason: 'length' },
    ]);
  });

  it('that are cut are refused', () => {
    for (const name of ['output', 'samples'] as const) {
      const read = name === 'output' ? protobufWire.decodePass : protobufWire.decodeSamples;
      expect(() => read(bytes(name).subarray(0, -3))).toThrow(RangeError);
    }
    expect(() => jsonWire.decodePass(Buffer.from('{"loss_fn_outputs": [{}]}'))).toThrow();
    expect(() => jsonWire.decodeSamples(Buffer.from('{"sequences": [{"tokens": ["a"]}]}'))).toThrow();
  });

  it('say the same as JSON', () => {
    const { body, path } = jsonWire.encodePass(request);
    expect(path).toBe('forward_backward');
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      model_id: 'model_1',
      seq_id: 300,
      forward_backward_input: {
        loss_fn: 'cispo',
        loss_fn_config: { clip_low_threshold: 1, clip_high_threshold: 1 },
        data: [
          {
            model_input: { chunks: [{ type: 'encoded_text', tokens: [5, 70_000, 2] }] },
            loss_fn_inputs: {
              target_tokens: { data: [70_000, 2, 9], dtype: 'int64', shape: [3] },
              weights: { data: [0, 1, 1], dtype: 'float32', shape: [3] },
              advantages: { data: [0, -0.5, 2.25], dtype: 'float32', shape: [3] },
            },
          },
        ],
      },
    });
  });

  it('hold a prompt of one token and a response of one', () => {
    const data = [{ prompt: Int32Array.of(4), response: Int32Array.of(3), fields: { weights: { scale: -2 } } }];
    const { body } = jsonWire.encodePass({ ...request, data, isForwardOnly: true });
    expect(JSON.parse(Buffer.from(body).toString()).forward_input.data).toEqual([
      {
        model_input: { chunks: [{ type: 'encoded_text', tokens: [4] }] },
        loss_fn_inputs: {
          target_tokens: { data: [3], dtype: 'int64', shape: [1] },
          weights: { data: [-2], dtype: 'float32', shape: [1] },
        },
      },
    ]);
  });
});
