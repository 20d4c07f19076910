import type { ModelSource } from '@metaapo/core/contracts';
import { onTestFinished } from 'vitest';
import { type TinkerOptions, tinker } from '../src/index.js';
import { type SmallServerOptions, smallServer } from './small-server.js';

/** A small server and a model source of it, both gone at the end of the test. */
export async function smallModel(
  given: Partial<SmallServerOptions> = {},
  options: Partial<TinkerOptions> = {},
): Promise<{ readonly source: ModelSource; readonly server: Awaited<ReturnType<typeof smallServer>> }> {
  const server = await smallServer({ kind: 'skyrl-jax', repeats: 'ignored', vocabulary: 5, wires: ['json'], ...given });
  const source = sourceOf(server.url, options);
  onTestFinished(async () => {
    await source.dispose?.();
    await server.close();
  });
  return { source, server };
}

/** A model source of a small server, which waits for a reply as long as told. */
export function sourceOf(url: string, options: Partial<TinkerOptions> = {}, replyMs = 5000): ModelSource {
  const description = { eosTokenIds: [0], vocabularySize: 5, contextLength: 1024, fingerprint: 'tiny' };
  return tinker(
    { url, base: 'tiny', rank: 8, patienceSeconds: 20, ...options },
    {
      env: process.env,
      describeText: async () => description,
      times: { retryDelayMs: 1, pollMs: replyMs, requestMs: replyMs },
    },
  );
}
