import { baseAddress, joinAddress } from './address.js';
import { maskSecrets, readApiKey } from './api-key.js';
import { exchange } from './exchange.js';
import { shownText } from './http-errors.js';
import { readEvents } from './read-events.js';
import { createRequestQueue } from './request-queue.js';

/** How to reach a service over HTTP. */
export interface JsonClientOptions {
  /** What it is, for messages, e.g. `sampler openai`. */
  readonly service: string;
  /** Address that paths are put behind, `${NAME}` in its query for an environment variable; several share the requests by their speed and stand in for one another. */
  readonly baseUrl: string | readonly string[];
  /** Further headers; values of eight characters or more are masked in messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Environment variable with the API key, sent as a bearer token; absent: none is sent. */
  readonly apiKeyVariable?: string | undefined;
  /** What bodies hold that is not to be shown; values of eight characters or more are masked in messages. */
  readonly secrets?: readonly string[] | undefined;
  /** Time for a whole exchange in seconds, up to 300. */
  readonly timeoutSeconds: number;
  /** Times that a failed request is tried again at each address, from 0. */
  readonly retries: number;
  /** Most requests under way at each address. */
  readonly concurrency: number;
  /** What a successful reply holds: JSON, a text, or JSON in server-sent events, which give an array; default `json`. */
  readonly reply?: 'json' | 'text' | 'events' | undefined;
  /** Most bytes of a reply, decompressed; a larger one is refused. Default 16 MiB. */
  readonly maxReplyBytes?: number | undefined;
  /** Rest after a failure in milliseconds; it doubles each time, up to 30 s; default 500. */
  readonly retryDelayMs?: number | undefined;
  /** Where the API key is read from; default the process' environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Requests to a service; safe to use from many places at once. */
export interface JsonClient {
  /**
   * What the reply to a JSON body means. Connection errors, cut connections, timeouts, invalid JSON, a cut stream and
   * status 408, 409, 425, 429 and 5xx are tried again, after the wait that `Retry-After` asks for, as are replies that
   * tell of such an error with status 200; a request that was answered never is.
   * @param path below the base address; empty for the base address itself
   * @param read what a parsed reply means, by default the reply itself; throws {@link TransientError} for one that is
   * worth another attempt, MetaapoError for any other that cannot be used
   * @throws MetaapoError with code `network` when it fails in the end; the signal's reason as soon as it is aborted
   */
  post<Reply = unknown>(
    path: string,
    body: unknown,
    signal?: AbortSignal,
    read?: (reply: unknown) => Reply,
  ): Promise<Reply>;
  /** What the reply to a request without a body means; otherwise like `post`. */
  get<Reply = unknown>(path: string, signal?: AbortSignal, read?: (reply: unknown) => Reply): Promise<Reply>;
  /** What came, for a message: at most 200 characters of its JSON, with the API key masked. */
  shown(value: unknown): string;
}

interface Task {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string | undefined;
  readonly read: (reply: unknown) => unknown;
}

/** How replies are parsed, and what of them is read. */
const REPLIES = {
  json: { expected: 'a JSON reply', parse: (text: string) => [JSON.parse(text)], whole: first },
  text: { expected: 'a reply', parse: (text: string) => [text], whole: first },
  events: { expected: 'a stream of JSON events', parse: readEvents, whole: (values: readonly unknown[]) => values },
} as const;

function first(values: readonly unknown[]): unknown {
  return values[0];
}

const MAX_REPLY_BYTES = 16 * 2 ** 20;

/** A value that may be a secret; masking a short one would take ordinary words out of messages. */
const isLong = ({ length }: string): boolean => length >= 8;

/**
 * A client of a JSON service.
 * @throws MetaapoError with code `config` for an address that cannot be used, or an API key that is not set
 */
export function createJsonClient(options: JsonClientOptions): JsonClient {
  const { service, apiKeyVariable, timeoutSeconds, retryDelayMs = 500, env = process.env } = options;
  const bases = [options.baseUrl].flat().map((address) => baseAddress(service, address, env));
  const key = readApiKey(service, apiKeyVariable, env);
  const others = [...Object.values(options.headers ?? {}), ...bases.flatMap(({ secrets }) => secrets)];
  const mask = maskSecrets([key ?? '', ...[...others, ...(options.secrets ?? [])].filter(isLong)]);
  const authorization = key === undefined ? undefined : { authorization: `Bearer ${key}` };
  const headers = { 'user-agent': 'metaapo', ...authorization, ...options.headers };
  const { expected, parse, whole } = REPLIES[options.reply ?? 'json'];
  const limits = { timeoutMs: timeoutSeconds * 1000, maxReplyBytes: options.maxReplyBytes ?? MAX_REPLY_BYTES };
  const send = createRequestQueue<Task, unknown>({
    ...options,
    servers: bases.length,
    retryDelayMs,
    attempt: (server, { method, path, body, read }, signal) => {
      const address = joinAddress(bases[server]!.url, path);
      const subject = { service, address, expected, apiKeyVariable, mask };
      const sent = body === undefined ? headers : { 'content-type': 'application/json', ...headers };
      const reading = { parse, read: (values: readonly unknown[]) => read(whole(values)) };
      return exchange({ subject, method, headers: sent, body, ...limits, ...reading }, signal);
    },
  });
  const ask = async <Reply>(
    task: Omit<Task, 'read'>,
    signal: AbortSignal | undefined,
    read = (reply: unknown) => reply as Reply,
  ): Promise<Reply> => (await send({ ...task, read }, signal)) as Reply;
  return {
    post: (path, body, signal, read) => ask({ method: 'POST', path, body: JSON.stringify(body) }, signal, read),
    get: (path, signal, read) => ask({ method: 'GET', path, body: undefined }, signal, read),
    shown: (value) => shownText(JSON.stringify(value) ?? 'nothing', mask),
  };
}
