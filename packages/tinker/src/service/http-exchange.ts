import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { MetaapoError } from '@metaapo/core/contracts';
import {
  baseAddress,
  type Environment,
  joinAddress,
  maskSecrets,
  readApiKey,
  reasonOf,
  retryAfterMs,
  shownAddress,
  shownText,
} from '@metaapo/core/http';
import { ServiceFailure } from './service-failure.js';

/** How a service is reached. */
export interface ServiceAddress {
  readonly url: string;
  /** Environment variable with the API key. */
  readonly apiKeyVariable?: string | undefined;
  readonly env: Environment;
}

/** One request. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Below `/api/v1` of the service, or a whole address. */
  readonly path: string;
  readonly body?: Uint8Array | undefined;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  /** Time for the whole exchange. */
  readonly timeoutMs: number;
}

/** A reply with a status of success. */
export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** Sends single requests; nothing is sent twice. */
export interface HttpExchange {
  /** Headers that every request has; the key among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Address of a path. */
  addressOf(path: string): string;
  /** @throws ServiceFailure for anything but a reply with a status of success */
  send(request: HttpRequest): Promise<HttpReply>;
  /**
   * The body of a reply as it comes, after redirections.
   * @throws ServiceFailure as `send`
   */
  open(request: HttpRequest): Promise<AsyncIterable<Buffer>>;
  /** The error of a failure, for a reply that cannot be used. */
  fault(path: string, summary: string, got: string, remedy: string): MetaapoError;
}

/** What ends a request whose time is over. */
class LateReply extends Error {
  constructor(timeoutMs: number) {
    super(`no whole reply within ${timeoutMs / 1000} s`);
  }
}

const SERVICE = 'model tinker';
/** Bytes of a reply: log-probabilities of a chunk, a hundred bytes a token at most. */
const MOST_BYTES = 1 << 30;
const MOST_REDIRECTIONS = 5;
/** A key in the place of none, for servers of one's own that want the form of one. */
const NO_KEY = 'tml-none';

/**
 * Every request has a connection of its own, so that a reply that comes late or twice is never taken for another's; bodies
 * are sent from the buffer that they are in.
 * @throws MetaapoError with code `config` for an address that cannot be used, or a key that is not set
 */
export function createHttpExchange({ url, apiKeyVariable, env }: ServiceAddress): HttpExchange {
  const base = baseAddress(SERVICE, url, env);
  const key = readApiKey(SERVICE, apiKeyVariable, env);
  const mask = maskSecrets([key ?? '', ...base.secrets]);
  const headers = { 'user-agent': 'metaapo', 'x-api-key': key ?? NO_KEY, connection: 'close' };
  const addressOf = (path: string): string => (/^https?:/.test(path) ? path : joinAddress(base.url, `api/v1/${path}`));
  const fault: HttpExchange['fault'] = (path, summary, got, remedy) =>
    new MetaapoError('network', summary, {
      where: `${SERVICE} at ${shownAddress(addressOf(path))}`,
      got: mask(got),
      remedy,
    });

  const reach = (sent: HttpRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const address = new URL(addressOf(sent.path));
      // A store that the service points to is not told the key.
      const isOwn = address.origin === new URL(base.url).origin;
      const ask = address.protocol === 'https:' ? requestHttps : requestHttp;
      const request = ask(address, {
        method: sent.method,
        agent: false,
        headers: {
          ...headers,
          ...(!isOwn && { 'x-api-key': NO_KEY }),
          ...(sent.accept !== undefined && { accept: sent.accept }),
          ...(sent.body !== undefined && { 'content-length': sent.body.length }),
          ...(sent.contentType !== undefined && { 'content-type': sent.contentType }),
        },
      });
      const timer = setTimeout(() => request.destroy(new LateReply(sent.timeoutMs)), sent.timeoutMs);
      request.on('close', () => clearTimeout(timer));
      request.on('error', reject);
      request.on('response', resolve);
      request.end(sent.body);
    });

  const unanswered = (sent: HttpRequest, cause: unknown): unknown => {
    if (cause instanceof ServiceFailure || cause instanceof MetaapoError) return cause;
    const final = fault(
      sent.path,
      'the service cannot be reached, or broke the connection',
      reasonOf(cause),
      'Start the service, or correct its address',
    );
    const mayHaveArrived = (cause as NodeJS.ErrnoException).code !== 'ECONNREFUSED';
    return new ServiceFailure('unanswered', final, {
      mayHaveArrived,
      ...(cause instanceof LateReply && { status: 408 }),
    });
  };

  const failureOf = (sent: HttpRequest, message: IncomingMessage, body: Buffer): ServiceFailure => {
    const status = message.statusCode ?? 0;
    const told = shownText(body.toString('utf8'), mask);
    const kind = kindOf(status, sent.path, told);
    const final = fault(
      sent.path,
      'the service refuses or fails',
      `status ${status}: ${told}`,
      remedyOf(status, apiKeyVariable),
    );
    return new ServiceFailure(kind, final, {
      status,
      mayHaveArrived: ![402, 425, 429].includes(status),
      retryAfterMs: retryAfterMs(message.headers['retry-after'] ?? null),
    });
  };

  return {
    headers,
    addressOf,
    fault,
    async send(sent) {
      try {
        const message = await reach(sent);
        const body = await bytesOf(message);
        const status = message.statusCode ?? 0;
        if (status < 200 || status >= 300) throw failureOf(sent, message, body);
        return { status, contentType: message.headers['content-type'] ?? '', body };
      } catch (error) {
        throw unanswered(sent, error);
      }
    },
    async open(first) {
      let sent = first;
      try {
        for (let hops = 0; hops <= MOST_REDIRECTIONS; hops++) {
          const message = await reach(sent);
          const status = message.statusCode ?? 0;
          const { location } = message.headers;
          if (status >= 200 && status < 300) return message;
          if (status < 300 || status >= 400 || location === undefined)
            throw failureOf(sent, message, await bytesOf(message));
          message.destroy();
          sent = { ...sent, path: new URL(location, addressOf(sent.path)).href };
        }
        throw fault(
          first.path,
          'it points from address to address',
          `${MOST_REDIRECTIONS} redirections`,
          "Look into the service's log",
        );
      } catch (error) {
        throw unanswered(sent, error);
      }
    },
  };
}

/** What a status means; servers tell in words that a model is gone. */
function kindOf(status: number, path: string, told: string): ServiceFailure['kind'] {
  if ([402, 408, 425, 429].includes(status) || status >= 500) return 'unanswered';
  if (status === 409) return 'conflict';
  if (/load_weights|archive|checkpoints/.test(path) && /checkpoint/i.test(told)) return 'refused';
  return isLostInWords(status, told) ? 'lost' : 'refused';
}

/** True for a status and words that say that the service has forgotten a model, a session or a result. */
export function isLostInWords(status: number, told: string): boolean {
  if (status === 410) return true;
  return (
    [400, 404, 422].includes(status) &&
    /not loaded|not found|unknown (model|session|future)|no such (model|session)|expired/i.test(told)
  );
}

function remedyOf(status: number, apiKeyVariable: string | undefined): string {
  if (status !== 401 && status !== 403) return "Change what the reply names, or look into the service's log";
  return apiKeyVariable === undefined
    ? 'Name the environment variable that holds the API key in apiKeyVariable'
    : `Set ${apiKeyVariable} to a key that the service accepts`;
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const announced = Number(message.headers['content-length'] ?? 0);
  let buffer = Buffer.allocUnsafe(Math.min(announced, MOST_BYTES));
  let length = 0;
  for await (const piece of message as AsyncIterable<Buffer>) {
    if (length + piece.length > MOST_BYTES) throw new Error(`the reply is larger than ${MOST_BYTES} bytes`);
    if (length + piece.length > buffer.length) {
      buffer = Buffer.concat([buffer.subarray(0, length)], Math.max(2 * buffer.length, length + piece.length));
    }
    length += piece.copy(buffer, length);
  }
  if (!message.complete) throw new Error('the reply was cut');
  return buffer.subarray(0, length);
}
