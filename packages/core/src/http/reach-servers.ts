import { isMetaapoError } from '../contracts/index.js';
import { statusOf } from './http-errors.js';
import { createJsonClient, type JsonClientOptions } from './json-client.js';

/** Time for one look. */
const LOOK_SECONDS = 10;

/** Statuses that say that a service will not answer: it knows no such key, or is not there behind what answers. */
const CLOSED = [401, 403, 502, 503, 504];

/**
 * Looks whether every server of a service answers, without asking it for anything that is paid for.
 * @param path what is looked at below the base addresses; that a server does not know it is an answer too
 * @returns the JSON of each address; `undefined` where its answer is none
 * @throws MetaapoError with code `config` for an address that cannot be used or a key that is not set, `network` when a
 * server cannot be reached or refuses the key
 */
export function reachServers(
  { baseUrl, ...options }: Omit<JsonClientOptions, 'timeoutSeconds' | 'retries' | 'concurrency' | 'reply'>,
  path: string,
  signal?: AbortSignal,
): Promise<readonly unknown[]> {
  const limits = { timeoutSeconds: LOOK_SECONDS, retries: 0, concurrency: 1, reply: 'text' } as const;
  const look = async (address: string): Promise<unknown> => {
    const client = createJsonClient({ ...options, ...limits, baseUrl: address });
    try {
      return parsed(await client.get<string>(path, signal));
    } catch (error) {
      const status = statusOf(error);
      if (!isMetaapoError(error) || status === undefined || CLOSED.includes(status)) throw error;
      return undefined;
    }
  };
  return Promise.all([baseUrl].flat().map(look));
}

/**
 * Looks whether servers of the OpenAI protocol answer; says so where one of them lists its models and not this one.
 * @throws MetaapoError as {@link reachServers} does
 */
export async function reachModelServers(
  options: Parameters<typeof reachServers>[0] & { readonly model: string },
  report: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { model, ...connection } = options;
  for (const answer of await reachServers(connection, 'models', signal)) {
    const names = namesIn(answer);
    if (names.length === 0 || names.includes(model)) continue;
    report(
      `Warning: ${options.service}: the server lists the models ${names.slice(0, 5).join(', ')}, and not ${model}`,
    );
  }
}

function namesIn(answer: unknown): readonly string[] {
  const { data } = (answer ?? {}) as { readonly data?: unknown };
  if (!Array.isArray(data)) return [];
  return data.flatMap((one: { readonly id?: unknown } | null) => (typeof one?.id === 'string' ? [one.id] : []));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
