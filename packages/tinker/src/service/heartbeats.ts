import { Worker } from 'node:worker_threads';

/** Beats on a thread of its own: what computes beside it may block the main one for minutes. */
const HEART = `
const { parentPort, workerData: { address, headers, beatMs } } = require('node:worker_threads');
let sessions = [];
parentPort.on('message', (message) => { sessions = message; });
setInterval(() => {
  for (const session_id of sessions) {
    const body = JSON.stringify({ session_id, type: 'session_heartbeat' });
    fetch(address, { method: 'POST', headers, body, signal: AbortSignal.timeout(beatMs) })
      .then((reply) => reply.arrayBuffer())
      .catch(() => undefined);
  }
}, beatMs);
`;

/** Sessions that the service is told of that they are still wanted. */
export interface Heartbeats {
  add(session: string): void;
  remove(session: string): void;
  /** No more beats. */
  stop(): Promise<void>;
}

/**
 * Tells the service at intervals that sessions are wanted; keeps no process alive.
 * @param beatMs between two beats; the first comes after one
 */
export function startHeartbeats(
  address: string,
  { connection: _, ...headers }: Readonly<Record<string, string>>,
  beatMs: number,
): Heartbeats {
  const sessions = new Set<string>();
  let heart: Worker | undefined;
  const tell = (): void => {
    heart ??= started();
    heart.postMessage([...sessions]);
  };
  const started = (): Worker => {
    const workerData = { address, headers: { ...headers, 'content-type': 'application/json' }, beatMs };
    const worker = new Worker(HEART, { eval: true, workerData }).on('error', () => undefined);
    worker.unref();
    return worker;
  };
  return {
    add(session) {
      sessions.add(session);
      tell();
    },
    remove(session) {
      if (sessions.delete(session)) tell();
    },
    async stop() {
      sessions.clear();
      await heart?.terminate();
    },
  };
}
