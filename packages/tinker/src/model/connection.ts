import { z } from 'zod';
import { acceptedReply, isLost, jsonRequest, type RemoteModel, type RepeatedNumbers } from '../service/remote-model.js';
import { readReply, type Service, unreadable } from '../service/service.js';
import { isFailure, ServiceFailure } from '../service/service-failure.js';
import { jsonWire } from '../wire/json-wire.js';
import { protobufWire } from '../wire/protobuf-wire.js';
import { type Datum, type DrawnSequence, type PassResult, tokensOfDatum, type Wire } from '../wire/wire.js';
import type { ChunkLimits, Loss } from './update-request.js';

/** What is known of a service: how it is spoken to, and what it makes of repeated requests. */
export interface Connection {
  readonly service: Service;
  readonly limits: ChunkLimits;
  /** How passes are written. */
  readonly wire: Wire;
  /** What it makes of a number that comes twice; found once, before a training. */
  repeats: RepeatedNumbers;
  /**
   * Submits a pass; its result is asked for when `read` is called.
   * @throws ServiceFailure as {@link RemoteModel.submit} does
   */
  submitPass(model: RemoteModel, data: readonly Datum[], loss: Loss): Promise<SubmittedPass>;
  /** Saves the model under a name of its own; `weights` with AdamW's moments, `sampler` to draw from and to download. */
  save(model: RemoteModel, what: 'weights' | 'sampler'): Promise<SavedWeights>;
  /** What is drawn by a request, which may be repeated. */
  sample(request: Readonly<Record<string, unknown>>): Promise<readonly DrawnSequence[]>;
}

/** A pass that the service has accepted. */
export interface SubmittedPass {
  /** What it gave. */
  read(): Promise<PassResult>;
  /** Waits until it is done; what it gave is not looked at. */
  done(): Promise<void>;
}

/** A checkpoint on the service. */
export interface SavedWeights {
  readonly name: string;
  readonly path: string;
}

const savedReply = z.object({ path: z.string().min(1).max(4096) });
const configReply = z.object({
  fwdbwd_max_chunk_len: z.int().positive().nullish().catch(undefined),
  fwdbwd_max_chunk_bytes_count: z.int().positive().nullish().catch(undefined),
});

/** What services take that do not say. */
const USUAL_LIMITS: ChunkLimits = { data: 1024, bytes: 5_000_000 };
/** Names that are tried before it is given up. */
const MOST_NAMES = 20;

/**
 * Asks a service what it takes at once.
 * @param fixed how passes are written; default JSON, and protobuf where that is not taken
 */
export async function connect(service: Service, fixed: Wire['id'] | undefined): Promise<Connection> {
  const limits = await service.patiently(() => limitsOf(service));
  let wire: Wire = fixed === 'protobuf' ? protobufWire : jsonWire;
  let isSettled = fixed !== undefined;
  const connection: Connection = {
    service,
    limits,
    repeats: 'refused',
    get wire() {
      return wire;
    },
    async submitPass(model, data, loss) {
      const submit = (): Promise<string> =>
        model.submit((sequence) => wire.encodePass({ modelId: model.id, sequence, data, ...loss }), {
          repeats: connection.repeats,
          isHarmless: loss.isForwardOnly,
        });
      const requestId = await submit().catch((error: unknown) => {
        if (isSettled || !isOtherWire(error)) throw error;
        wire = protobufWire;
        return submit();
      });
      isSettled = true;
      return {
        read: () => readPass(service, requestId, wire.accept, data),
        done: async () => void (await service.resultOf(requestId, wire.accept)),
      };
    },
    async save(model, what) {
      const path = what === 'weights' ? 'save_weights' : 'save_weights_for_sampler';
      for (let names = 1; ; names++) {
        const name = model.nextName();
        const make = (sequence: number) =>
          jsonRequest(path, { model_id: model.id, path: name, seq_id: sequence, type: path });
        try {
          const id = await model.submit(make, { repeats: connection.repeats, isHarmless: true });
          return { name, path: readReply(service, path, await service.resultOf(id), savedReply).path };
        } catch (error) {
          // The name may be that of an attempt whose reply was lost.
          const isTaken = isFailure(error, 'conflict') && connection.repeats !== 'refused';
          if (!isTaken || names === MOST_NAMES) throw error;
        }
      }
    },
    async sample(request) {
      const submitted = await service.patiently(async () =>
        readReply(service, 'asample', await service.post('asample', request), acceptedReply),
      );
      return service.patiently(async () => {
        const reply = await service.resultOf(submitted.request_id, wire.accept);
        return readAs(service, 'asample', reply, (chosen) => chosen.decodeSamples(reply.body));
      });
    },
  };
  return connection;
}

/** A server that takes passes in another form alone. */
function isOtherWire(error: unknown): boolean {
  return isFailure(error, 'refused') && [400, 415, 422].includes(error.status ?? 0);
}

async function limitsOf(service: Service): Promise<ChunkLimits> {
  try {
    const reply = await service.post('client/config', { sdk_version: 'metaapo' });
    const told = readReply(service, 'client/config', reply, configReply);
    const { fwdbwd_max_chunk_len: data, fwdbwd_max_chunk_bytes_count: bytes } = told;
    return { data: data ?? USUAL_LIMITS.data, bytes: bytes ?? USUAL_LIMITS.bytes };
  } catch (error) {
    // Older servers have no such path.
    if (isFailure(error, 'refused') || isLost(error)) return USUAL_LIMITS;
    throw error;
  }
}

function readPass(service: Service, requestId: string, accept: string, data: readonly Datum[]): Promise<PassResult> {
  return service.patiently(async () => {
    const reply = await service.resultOf(requestId, accept);
    const result = readAs(service, 'forward_backward', reply, (wire) => wire.decodePass(reply.body));
    const at = data.findIndex((datum, index) => result.logprobs[index]?.length !== tokensOfDatum(datum));
    if (at < 0 && result.logprobs.length === data.length) return result;
    const got = `${result.logprobs.length} sequences for ${data.length}, ${result.logprobs[at]?.length ?? 0} log-probabilities of sequence ${at}`;
    const remedy = 'Check which version of the service runs';
    throw new ServiceFailure(
      'refused',
      service.http.fault('forward', 'it gives other log-probabilities than asked for', got, remedy),
    );
  });
}

/** A result in whichever form it came. */
function readAs<Value>(
  service: Service,
  path: string,
  { contentType, body }: { readonly contentType: string; readonly body: Buffer },
  read: (wire: Wire) => Value,
): Value {
  try {
    return read(contentType.includes('protobuf') ? protobufWire : jsonWire);
  } catch {
    throw unreadable(service, path, body);
  }
}
