import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { EncodedRequest } from '../wire/wire.js';
import { readReply, type Service } from './service.js';
import { isFailure, type ServiceFailure } from './service-failure.js';

/**
 * What a service makes of a request that comes twice with one number: `kept`: it is done once, and both get the same
 * result; `ignored`: it is done twice; `refused`: the second one is an error. Unknown ones are treated as `refused`.
 */
export type RepeatedNumbers = 'kept' | 'ignored' | 'refused';

/** What a model is on the service. */
export interface RemoteModelOptions {
  readonly base: string;
  /** Rows of the adapter's narrow matrices; 0: all parameters are trained. */
  readonly rank: number;
  readonly seed: number;
}

/** A model that the service holds. */
export interface RemoteModel {
  readonly id: string;
  /** A number that no other checkpoint of the model has in its name. */
  nextName(): string;
  /**
   * Submits what may be done again, or what the service does once (`repeats` is `kept`).
   * @returns the id of the request, whose result is asked for with {@link Service.resultOf}
   * @throws ServiceFailure of kind `lost` where it is not known whether the service has begun it, and it must not be repeated
   */
  submit(make: (sequence: number) => EncodedRequest, use: SubmitUse): Promise<string>;
  /** Submits one request twice with one number, and says what came of it. */
  submitTwice(make: (sequence: number) => EncodedRequest): Promise<RepeatedNumbers>;
  /** Gives the model back; a failure is nobody's concern. */
  unload(): Promise<void>;
}

/** How a request may be repeated. */
export interface SubmitUse {
  readonly repeats: RepeatedNumbers;
  /** True for what changes nothing that counts when it is done twice. */
  readonly isHarmless: boolean;
}

/** Longest wait for a model to be given back. */
const UNLOAD_MS = 30_000;
/** The name that the service is told of whoever asks. */
const SDK = 'metaapo';

const session = z.object({ session_id: z.string().min(1).max(1000) });
/** What a service says to a request whose result is asked for later. */
export const acceptedReply = z.object({
  request_id: z.union([z.string().min(1).max(1000), z.int().transform(String)]),
});
const created = acceptedReply.extend({ model_id: z.string().min(1).max(1000) });

/**
 * Creates a model in a session of its own, so that what a lost model leaves behind goes away with its heartbeat.
 * @throws ServiceFailure as {@link Service.patiently} and {@link Service.resultOf} do
 */
export async function createRemoteModel(
  service: Service,
  { base, rank, seed }: RemoteModelOptions,
): Promise<RemoteModel> {
  return service.patiently(async () => {
    const opening = { tags: ['metaapo'], user_metadata: {}, sdk_version: SDK, type: 'create_session' };
    const opened = readReply(service, 'create_session', await service.post('create_session', opening), session);
    const sessionId = opened.session_id;
    try {
      const adapter = { rank, seed: seed % 2 ** 31 };
      const body = {
        session_id: sessionId,
        model_seq_id: 0,
        base_model: base,
        lora_config: adapter,
        type: 'create_model',
      };
      const { model_id, request_id } = readReply(
        service,
        'create_model',
        await service.post('create_model', body),
        created,
      );
      service.heartbeats.add(sessionId);
      await service.resultOf(request_id);
      return remoteModel(service, model_id, sessionId);
    } catch (error) {
      service.heartbeats.remove(sessionId);
      await forget(service, sessionId);
      throw error;
    }
  });
}

/** What came of a session that is given up goes away once its heartbeat is missed, which one beat has to begin. */
async function forget(service: Service, sessionId: string): Promise<void> {
  await service.post('session_heartbeat', { session_id: sessionId, type: 'session_heartbeat' }).catch(() => undefined);
}

function remoteModel(service: Service, id: string, sessionId: string): RemoteModel {
  const names = randomUUID().slice(0, 8);
  let sequence = 0;
  let saved = 0;
  const send = async (request: EncodedRequest): Promise<string> =>
    readReply(service, request.path, await service.postEncoded(request), acceptedReply).request_id;
  return {
    id,
    nextName: () => `metaapo-${names}-${++saved}`,
    async submit(make, { repeats, isHarmless }) {
      const request = make(++sequence);
      const mayRepeat = repeats === 'kept' || (repeats === 'ignored' && isHarmless);
      const patience = service.patience();
      for (;;) {
        try {
          return await send(request);
        } catch (error) {
          if (!isFailure(error, 'unanswered')) throw error;
          if (error.mayHaveArrived && !mayRepeat) throw error.as('lost');
          if (!(await patience.wait(error.retryAfterMs))) throw error;
        }
      }
    },
    async submitTwice(make) {
      const request = make(++sequence);
      const first = await service.patiently(() => send(request));
      await service.resultOf(first);
      try {
        const second = await service.patiently(() => send(request));
        if (second === first) return 'kept';
        await service.resultOf(second);
        return 'ignored';
      } catch (error) {
        if (isFailure(error, 'refused') || isFailure(error, 'conflict')) return 'refused';
        throw error;
      }
    },
    async unload() {
      service.heartbeats.remove(sessionId);
      const body = { model_id: id, type: 'unload_model' };
      const unloaded = service
        .post('unload_model', body)
        .then((reply) => service.resultOf(readReply(service, 'unload_model', reply, acceptedReply).request_id))
        .catch(() => undefined);
      await Promise.race([unloaded, wait(UNLOAD_MS, undefined, { ref: false })]);
    },
  };
}

/** A request as JSON. */
export function jsonRequest(path: string, body: Readonly<Record<string, unknown>>): EncodedRequest {
  return { path, contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) };
}

/** A failure that ends what was asked for, where going back to the last checkpoint may help. */
export const isLost = (error: unknown): error is ServiceFailure =>
  isFailure(error, 'lost') || isFailure(error, 'conflict');
