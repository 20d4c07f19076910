import { inspect } from 'node:util';
import { isMetaapoError, type MetaapoError } from '../src/contracts/index.js';
import { createJsonClient, type JsonClientOptions } from '../src/http/index.js';

/** A client that tries three times more and hardly waits. */
export const client = (baseUrl: string | readonly string[], options: Partial<JsonClientOptions> = {}) =>
  createJsonClient({
    service: 'service test',
    baseUrl,
    timeoutSeconds: 20,
    retries: 3,
    concurrency: 4,
    retryDelayMs: 1,
    ...options,
  });

/** So many bodies that differ by their id. */
export const bodies = (count: number) => Array.from({ length: count }, (_, id) => ({ id }));
export const idOf = (body: unknown): number => (body as { id: number }).id;
export const byId = (a: unknown, b: unknown): number => idOf(a) - idOf(b);

/** The error that a promise ends with. */
export async function failureOf(promise: Promise<unknown>): Promise<MetaapoError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isMetaapoError(error)) throw new Error(`no MetaapoError but ${inspect(error)}`);
  return error;
}

/** Waits until something holds, a turn of the event loop at a time. */
export async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await nextTurn();
}

/** A turn of the event loop. */
export async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
