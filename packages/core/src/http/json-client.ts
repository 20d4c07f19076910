import { baseAddress, joinAddress } from './address.js';
import { maskSecrets, readApiKey } from './api-key.js';
import { exchange } from './exchange.js';
import { shownText } from './http-errors.js';
import { createRequestQueue } from './request-queue.js';

/** How to reach a service over HTTP. */
export interface JsonClientOptions {
  /** What it is, for messages, e.g. `sampler openai`. */
  readonly service: string;
  /** Address that paths are put behind; several share the requests by their speed and stand in for one another. */
  readonly baseUrl: string | readonly string[];
  /** Further headers; values of eight characters or more are masked in messages. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Environment variable with the API key, sent as a bearer token; absent: none is sent. */
  readonly apiKeyVariable?: string | undefined;
  /** Time for a whole exchange in seconds, up to 300. */
  readonly timeoutSeconds: number;
  /** Times that a failed request is tried again at each address, from 0. */
  readonly retries: number;
  /** Most requests under way at each address. */
  readonly concurrency: number;
  /** What a successful reply holds; default `json`. */
  readonly reply?: 'json' | 'text' | undefined;
  /** Rest after a failure in milliseconds; it doubles each time, up to 30 s; default 500. */
  readonly retryDelayMs?: number | undefined;
  /** Where the API key is read from; default the process' environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Requests to a service; safe to use from many places at once. */
export interface JsonClient {
  /**
   * Parsed reply to a JSON body. Connection errors, cut connections, timeouts, invalid JSON and status 408, 409, 425,
   * 429 and 5xx are tried again, after the wait that `Retry-After` asks for; a request that was answered never is.
   * @param path below the base address; empty for the base address itself
   * @throws MetaapoError with code `network` when it fails in the end; the signal's reason as soon as it is aborted
   */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<unknown>;
  /** Parsed reply to a request without a body; otherwise like `post`. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
  /** What came, for a message: at most 200 characters of its JSON, with the API key masked. */
  shown(value: unknown): string;
}

interface Task {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string | undefined;
}

const REPLIES = {
  json: { expected: 'a JSON reply', parse: (text: string): unknown => JSON.parse(text) },
  text: { expected: 'a reply', parse: (text: string): unknown => text },
} as const;

/** A value that may be a secret; masking a short one would take ordinary words out of messages. */
const isLong = ({ length }: string): boolean => length >= 8;

/**
 * A client of a JSON service.
 * @throws MetaapoError with code `config` for an address that cannot be used, or an API key that is not set
 */
export function createJsonClient(options: JsonClientOptions): JsonClient {
  const { service, apiKeyVariable, timeoutSeconds, retryDelayMs = 500, env = process.env } = options;
  const bases = [options.baseUrl].flat().map((address) => baseAddress(service, address));
  const key = readApiKey(service, apiKeyVariable, env);
  const mask = maskSecrets([key ?? '', ...Object.values(options.headers ?? {}).filter(isLong)]);
  const authorization = key === undefined ? undefined : { authorization: `Bearer ${key}` };
  const headers = { 'user-agent': 'metaapo', ...authorization, ...options.headers };
  const { expected, parse } = REPLIES[options.reply ?? 'json'];
  const send = createRequestQueue<Task, unknown>({
    ...options,
    servers: bases.length,
    retryDelayMs,
    attempt: (server, { method, path, body }, signal) => {
      const address = joinAddress(bases[server]!, path);
      const subject = { service, address, expected, apiKeyVariable, mask };
      const sent = body === undefined ? headers : { 'content-type': 'application/json', ...headers };
      return exchange({ subject, method, headers: sent, body, timeoutMs: timeoutSeconds * 1000, parse }, signal);
    },
  });
  return {
    post: (path, body, signal) => send({ method: 'POST', path, body: JSON.stringify(body) }, signal),
    get: (path, signal) => send({ method: 'GET', path, body: undefined }, signal),
    shown: (value) => shownText(JSON.stringify(value) ?? 'nothing', mask),
  };
}
