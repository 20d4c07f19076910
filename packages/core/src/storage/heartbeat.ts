import { readFileSync, statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** Times of heartbeats, in milliseconds. */
export interface HeartbeatTimes {
  /** Between two beats; default 5 000. */
  readonly beatMs?: number | undefined;
  /** Without a beat for so long, an owner counts as gone; default 30 000. */
  readonly staleMs?: number | undefined;
}

const BEAT_MS = 5_000;
const STALE_MS = 30_000;

/** Runs on a thread of its own, so that a long computation of the main one does not stop the heart. */
const HEART = `
const { parentPort, workerData: { file, content, beatMs } } = require('node:worker_threads');
const { readFileSync, utimesSync } = require('node:fs');
const timer = setInterval(() => {
  try {
    if (readFileSync(file, 'utf8') === content) return utimesSync(file, new Date(), new Date());
  } catch (error) {
    if (error.code !== 'ENOENT') return;
  }
  clearInterval(timer);
  parentPort.postMessage('lost');
}, beatMs);
`;

/**
 * Touches a file at intervals as long as it holds the content, so that processes which cannot see this one know that it
 * lives. Keeps no process alive.
 * @param onLost called when the file is gone or holds something else
 * @returns a function that ends it
 */
export function startHeartbeat(
  file: string,
  content: string,
  onLost: () => void,
  { beatMs = BEAT_MS }: HeartbeatTimes = {},
): () => Promise<void> {
  const heart = new Worker(HEART, { eval: true, workerData: { file, content, beatMs } });
  heart.on('message', onLost).on('error', () => undefined);
  heart.unref();
  return async () => {
    heart.off('message', onLost);
    await heart.terminate();
  };
}

/**
 * True when the file of an owner that cannot be seen from here got no beat for the time after which it counts as gone;
 * false as soon as there is one, or the file is another.
 * @param isSameClock true when the file's times come from this machine's clock
 */
export async function hasStopped(
  file: string,
  isSameClock: boolean,
  { staleMs = STALE_MS }: HeartbeatTimes = {},
): Promise<boolean> {
  const first = stateOf(file);
  const age = isSameClock ? Math.max(0, Date.now() - first.modifiedMs) : 0;
  const end = performance.now() + staleMs - age;
  while (performance.now() < end) {
    await wait(Math.min(200, staleMs / 10));
    const now = stateOf(file);
    if (now.content !== first.content || now.modifiedMs !== first.modifiedMs) return false;
  }
  return true;
}

function stateOf(file: string): { readonly content: string | undefined; readonly modifiedMs: number } {
  try {
    return { content: readFileSync(file, 'utf8'), modifiedMs: statSync(file).mtimeMs };
  } catch {
    return { content: undefined, modifiedMs: 0 };
  }
}
