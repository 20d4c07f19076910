import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  bytesField,
  bytesOf,
  doubleField,
  entriesOf,
  numberField,
  numberOf,
  type ProtobufField,
  readFields,
} from '../src/wire/protobuf.js';
import {
  type Answer,
  type Outcome,
  type SmallRequest,
  type SmallServiceOptions,
  smallService,
} from './small-service.js';
import type { TinyDatum } from './tiny-model.js';

/**
 * What may happen to a request. `dropped`: the connection breaks before it is read. `lost`: it is done, and the connection
 * breaks. `late`: it is done, and the reply comes when nobody waits any more. `twice`: the reply is sent twice. `failed`: it is
 * done, and the reply is a 500. `busy`: it is not done, and the reply is a 503. `restart`: it is done, and then all models
 * are gone, and the connection breaks.
 */
export type Fault = 'dropped' | 'lost' | 'late' | 'twice' | 'failed' | 'busy' | 'restart';

/** How a small server speaks, and what goes wrong. */
export interface SmallServerOptions extends SmallServiceOptions {
  readonly wires: readonly ('json' | 'protobuf')[];
  /** What happens to a request, by its path and its number; default nothing. */
  readonly fault?: ((path: string, count: number) => Fault | undefined) | undefined;
  /** False while no result is given yet, told how many passes were asked for; default always true. */
  readonly isReady?: ((passes: number) => boolean) | undefined;
  /** How long after its time a reply comes that is late. */
  readonly lateMs?: number | undefined;
}

/** A small server on a port of this machine. */
export async function smallServer(options: SmallServerOptions) {
  const service = smallService(options);
  const seen: { readonly path: string; readonly headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    void handle(request, response);
  });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '').replace('/api/v1/', '');
    seen.push({ path, headers: request.headers });
    const body = await bodyOf(request);
    const fault = options.fault?.(path, seen.length);
    if (fault === 'dropped') return void request.socket.destroy();
    if (fault === 'busy') return send(response, { status: 503, type: 'application/json', bytes: '{"detail":"busy"}' });
    const reply = replyTo(path, request, body);
    if (fault === 'restart') service.restart();
    if (fault === 'lost' || fault === 'restart') return void request.socket.destroy();
    if (fault === 'failed') return send(response, { status: 500, type: 'text/plain', bytes: 'Internal Server Error' });
    if (fault === 'late') await new Promise((resolve) => setTimeout(resolve, options.lateMs ?? 100).unref());
    if (fault === 'twice') return sendTwice(request, reply);
    send(response, reply);
  };
  const replyTo = (path: string, request: IncomingMessage, body: Buffer): Reply => {
    if (path === 'get_server_capabilities') return jsonReply(200, { supported_models: [{ model_name: 'tiny' }] });
    const archived = /^training_runs\/([^/]+)\/checkpoints\/([^/]+)\/archive$/.exec(path);
    if (archived) {
      const bytes = service.archiveOf(archived[1]!, archived[2]!);
      return bytes
        ? { status: 200, type: 'application/octet-stream', bytes }
        : jsonReply(404, { detail: 'Checkpoint not found' });
    }
    if (path === 'retrieve_future' && options.isReady?.(service.passes()) === false) {
      return jsonReply(408, { detail: 'Timeout waiting for result' });
    }
    if (path === 'retrieve_future')
      return resultReply(
        service.outcomeOf(String((JSON.parse(body.toString()) as { request_id: unknown }).request_id)),
        request,
      );
    const parsed = parseRequest(path, request, body, options.wires);
    const { status, body: answer } = 'status' in parsed ? parsed : service.answer(parsed);
    return jsonReply(status, answer);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    service,
    seen,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer | string;
}

const jsonReply = (status: number, body: unknown): Reply => ({
  status,
  type: 'application/json',
  bytes: JSON.stringify(body),
});

function send(response: ServerResponse, { status, type, bytes }: Reply): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(bytes) });
  response.end(bytes);
}

function sendTwice({ socket }: IncomingMessage, { status, type, bytes }: Reply): void {
  const head = `HTTP/1.1 ${status} OK\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(bytes)}\r\n\r\n`;
  const whole = Buffer.concat([Buffer.from(head), Buffer.from(bytes)]);
  socket.end(Buffer.concat([whole, whole]));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A request in words of its own, whichever way it came. */
function parseRequest(
  path: string,
  request: IncomingMessage,
  bytes: Buffer,
  wires: readonly string[],
): SmallRequest | Answer {
  const isProtobuf = request.headers['content-type'] === 'application/x-protobuf';
  if (path !== 'forward' && path !== 'forward_backward')
    return { path, body: JSON.parse(bytes.toString() || '{}') as SmallRequest['body'] };
  if (!wires.includes(isProtobuf ? 'protobuf' : 'json'))
    return { status: 415, body: { detail: 'Unsupported Content-Type' } };
  return { path, body: isProtobuf ? protobufPass(bytes) : jsonPass(path, bytes) };
}

interface JsonDatum {
  readonly model_input: { readonly chunks: readonly { readonly tokens: readonly number[] }[] };
  readonly loss_fn_inputs: Readonly<Record<string, { readonly data: readonly number[] }>>;
}

function jsonPass(path: string, bytes: Buffer): SmallRequest['body'] {
  const { model_id, seq_id, ...rest } = JSON.parse(bytes.toString()) as Record<string, unknown>;
  const input = rest[`${path}_input`] as {
    data: readonly JsonDatum[];
    loss_fn: string;
    loss_fn_config?: Record<string, number>;
  };
  const data = input.data.map(({ model_input, loss_fn_inputs }): TinyDatum => {
    const { target_tokens, ...others } = loss_fn_inputs;
    const inputs = Object.fromEntries(Object.entries(others).map(([name, { data: values }]) => [name, values]));
    return { tokens: model_input.chunks.flatMap(({ tokens }) => tokens), targets: target_tokens!.data, inputs };
  });
  const pass = { data, loss: input.loss_fn, config: input.loss_fn_config ?? {}, isForwardOnly: path === 'forward' };
  return { model_id, seq_id, pass };
}

function protobufPass(bytes: Buffer): SmallRequest['body'] {
  const fields = readFields(bytes);
  const text = (number: number): string => bytesOf(fields, number).at(-1)?.toString() ?? '';
  const data = bytesOf(fields, 3).map((datum): TinyDatum => {
    const own = readFields(datum);
    const chunk = readFields(bytesOf(own, 1)[0]!);
    const encoded = readFields(bytesOf(chunk, 1)[0]!);
    const { target_tokens, ...inputs } = Object.fromEntries(
      entriesOf(own, 2).map(([name, entry]) => [name, valuesOf(readFields(bytesOf(entry, 2)[0]!))]),
    );
    return { tokens: int32s(bytesOf(encoded, 1)[0]!), targets: target_tokens!, inputs };
  });
  const config = Object.fromEntries(entriesOf(fields, 5).map(([name, entry]) => [name, numberOf(entry, 2)]));
  const pass = { data, loss: text(4), config, isForwardOnly: numberOf(fields, 6) === 1 };
  return { model_id: text(1), seq_id: numberOf(fields, 2), pass };
}

function int32s(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readInt32LE(4 * at));
}

function valuesOf(tensor: readonly ProtobufField[]): number[] {
  const [dense] = bytesOf(tensor, 1) as [Buffer];
  const isFloat = numberOf(tensor, 3) === 1;
  return Array.from({ length: dense.length / (isFloat ? 4 : 8) }, (_, at) =>
    isFloat ? dense.readFloatLE(4 * at) : Number(dense.readBigInt64LE(8 * at)),
  );
}

function resultReply(outcome: Outcome | undefined, request: IncomingMessage): Reply {
  if (outcome === undefined) return jsonReply(404, { detail: 'Future not found' });
  if (outcome.kind === 'failed') return jsonReply(400, { detail: outcome.told });
  if (outcome.kind === 'json') return jsonReply(200, outcome.body);
  if (request.headers.accept === 'application/x-protobuf') {
    const bytes = outcome.kind === 'pass' ? passMessage(outcome) : samplesMessage(outcome);
    return { status: 200, type: 'application/x-protobuf', bytes };
  }
  if (outcome.kind === 'samples') {
    const sequences = outcome.sequences.map(({ stopReason, ...rest }) => ({ ...rest, stop_reason: stopReason }));
    return jsonReply(200, { sequences });
  }
  const { logprobs, metrics } = outcome;
  const tensor = (data: readonly number[]) => ({ data: data.map(Math.fround), dtype: 'float32', shape: [data.length] });
  const outputs = logprobs.map((data) => ({
    elementwise_loss: tensor(data.map((logprob) => -logprob)),
    logprobs: tensor(data),
  }));
  return jsonReply(200, { loss_fn_outputs: outputs, metrics });
}

const floats = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

function passMessage({ logprobs, metrics }: Extract<Outcome, { kind: 'pass' }>): Buffer {
  const offsets = new BigInt64Array(logprobs.length + 1);
  for (const [at, { length }] of logprobs.entries()) offsets[at + 1] = offsets[at]! + BigInt(4 * length);
  const tensor = [
    bytesField(1, floats(logprobs.flat())),
    bytesField(2, new Uint8Array(offsets.buffer)),
    numberField(3, 1),
  ];
  const record = bytesField(2, [
    bytesField(2, [bytesField(1, 'logprobs'), bytesField(2, tensor)]),
    numberField(3, logprobs.length),
  ]);
  const told = Object.entries(metrics).map(([name, value]) =>
    bytesField(3, [bytesField(1, name), doubleField(2, value)]),
  );
  return Buffer.concat([record, ...told]);
}

function samplesMessage({ sequences }: Extract<Outcome, { kind: 'samples' }>): Buffer {
  return Buffer.concat(
    sequences.map(({ tokens, logprobs, stopReason }) =>
      bytesField(1, [
        numberField(1, stopReason === 'stop' ? 0 : 1),
        bytesField(2, new Uint8Array(Int32Array.from(tokens).buffer)),
        bytesField(3, floats(logprobs)),
      ]),
    ),
  );
}
