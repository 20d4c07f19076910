/** Longest wait between two attempts that follows from failures alone. */
const MOST_BACKOFF_MS = 30_000;
/** Longest wait that a server may ask for; a run that waits longer looks like one that hangs. */
const MOST_ASKED_MS = 600_000;

/** Wait before the next attempt in milliseconds: it doubles with each failure in a row; jitter takes up to half off. */
export function backoffMs(failures: number, firstMs: number, uniform: number = Math.random()): number {
  return Math.min(firstMs * 2 ** (failures - 1), MOST_BACKOFF_MS) * (1 - uniform / 2);
}

/** Wait that a `Retry-After` header asks for, in milliseconds, at most ten minutes; it holds seconds or a date. */
export function retryAfterMs(header: string | null, nowMs: number = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const wait = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MOST_ASKED_MS);
}
