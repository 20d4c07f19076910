import { z } from 'zod';
import { type ByteWriter, byteWriter } from './byte-writer.js';
import { type Datum, type TokenField, tokensOfDatum, type Wire } from './wire.js';

/** Hundreds of thousands: what is no number becomes NaN, which nobody takes for a log-probability. */
const numbers = z.custom<readonly number[]>((value) => Array.isArray(value), 'no array');

const passReply = z.object({
  loss_fn_outputs: z.array(z.object({ logprobs: z.object({ data: numbers }) })),
  metrics: z.record(z.string(), z.number()).nullish(),
});

const sampleReply = z.object({
  sequences: z.array(
    z.object({ tokens: z.array(z.int()), logprobs: numbers.nullish(), stop_reason: z.enum(['stop', 'length']) }),
  ),
});

/** Passes as JSON, which servers of the first generation take. */
export const jsonWire: Wire = {
  id: 'json',
  accept: 'application/json',
  sizeOf: (datum) => 200 + tokensOfDatum(datum) * (12 + 3 * Object.keys(datum.fields).length),
  encodePass({ modelId, sequence, data, lossName, lossConfig, isForwardOnly }) {
    const out = byteWriter(data.reduce((sum, datum) => sum + jsonWire.sizeOf(datum), 500));
    const [path, input] = isForwardOnly ? ['forward', 'forward_input'] : ['forward_backward', 'forward_backward_input'];
    out.ascii(`{"model_id":${JSON.stringify(modelId)},"seq_id":${sequence},"${input}":{"loss_fn":"${lossName}",`);
    if (lossConfig !== undefined) out.ascii(`"loss_fn_config":${JSON.stringify(lossConfig)},`);
    out.ascii('"data":[');
    for (const [index, datum] of data.entries()) {
      if (index > 0) out.ascii(',');
      writeDatum(out, datum);
    }
    out.ascii(']}}');
    return { path, contentType: 'application/json', body: out.end() };
  },
  decodePass(body) {
    const { loss_fn_outputs, metrics } = passReply.parse(JSON.parse(body.toString('utf8')));
    return {
      logprobs: loss_fn_outputs.map(({ logprobs }) => Float32Array.from(logprobs.data)),
      metrics: metrics ?? {},
    };
  },
  decodeSamples(body) {
    const { sequences } = sampleReply.parse(JSON.parse(body.toString('utf8')));
    return sequences.map(({ tokens, logprobs, stop_reason }) => ({
      tokens: Int32Array.from(tokens),
      logprobs: Float32Array.from(logprobs ?? []),
      stopReason: stop_reason,
    }));
  },
};

function writeDatum(out: ByteWriter, datum: Datum): void {
  const { prompt, response, fields } = datum;
  const count = tokensOfDatum(datum);
  const inputs = [prompt.join(','), response.subarray(0, -1).join(',')].filter(Boolean).join(',');
  const targets = [prompt.subarray(1).join(','), response.join(',')].filter(Boolean).join(',');
  out.ascii(`{"model_input":{"chunks":[{"type":"encoded_text","tokens":[${inputs}]}]},"loss_fn_inputs":{`);
  out.ascii(`"target_tokens":{"data":[${targets}],"dtype":"int64","shape":[${count}]}`);
  const before = '0,'.repeat(prompt.length - 1);
  for (const [name, field] of Object.entries(fields)) {
    const values = valuesOf(field, response.length);
    out.ascii(`,"${name}":{"data":[${before}${values}],"dtype":"float32","shape":[${count}]}`);
  }
  out.ascii('}}');
}

function valuesOf({ scale, values }: TokenField, length: number): string {
  if (values === undefined) return `${scale},`.repeat(length).slice(0, -1);
  return Array.from(values, (value) => scale * value).join(',');
}
