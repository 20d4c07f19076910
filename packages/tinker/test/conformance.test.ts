import type { ModelSource } from '@metaapo/core/contracts';
import { describeModel } from '@metaapo/testing';
import { afterAll, describe, it, vi } from 'vitest';
import { sourceOf } from './small-model.js';
import { type SmallServerOptions, smallServer } from './small-server.js';

/** Every check opens several models over HTTP. */
vi.setConfig({ testTimeout: 60_000 });

const servers: Awaited<ReturnType<typeof smallServer>>[] = [];
const sources: ModelSource[] = [];
afterAll(async () => {
  for (const source of sources) await source.dispose?.();
  for (const server of servers) await server.close();
});

const creating =
  (options: Pick<SmallServerOptions, 'kind' | 'repeats' | 'wires'>) => async (): Promise<ModelSource> => {
    const server = await smallServer({ vocabulary: 5, ...options });
    servers.push(server);
    const source = sourceOf(server.url);
    sources.push(source);
    return source;
  };

describeModel({ describe, it }, creating({ kind: 'skyrl-jax', repeats: 'ignored', wires: ['json'] }), {
  name: 'tinker on SkyRL jax',
  givesEntropies: false,
  clips: false,
});
describeModel({ describe, it }, creating({ kind: 'tinker', repeats: 'kept', wires: ['protobuf'] }), {
  name: 'tinker on a hosted service',
  givesEntropies: false,
});
