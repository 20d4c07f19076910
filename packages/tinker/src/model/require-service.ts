import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import { createRemoteModel, isLost, type RemoteModel } from '../service/remote-model.js';
import { readReply, type Service } from '../service/service.js';
import { isFailure } from '../service/service-failure.js';
import type { TinkerSettings } from '../tinker-options.js';
import type { Connection } from './connection.js';
import type { ServerRules } from './server-rules.js';

const capabilities = z.object({
  supported_models: z.array(
    z.object({ model_name: z.string().nullish(), max_context_length: z.number().nullish().catch(undefined) }),
  ),
});

/** @throws MetaapoError with code `config` when the service says which models it has, and this is none of them */
export async function requireBase(service: Service, { url, base }: TinkerSettings): Promise<void> {
  const path = 'get_server_capabilities';
  const { supported_models } = await service.patiently(async () => {
    const reply = await service.http.send({ method: 'GET', path, timeoutMs: 30_000 });
    return readReply(service, path, reply, capabilities);
  });
  const names = supported_models.flatMap(({ model_name }) => model_name ?? []);
  if (names.length === 0 || names.includes(base)) return;
  throw new MetaapoError('config', 'the service does not have this model', {
    where: `model tinker at ${url}, base`,
    expected: names.slice(0, 10).join(', '),
    got: base,
    remedy: 'Name it as the service does: a path or hub id, to the letter',
  });
}

/** @throws MetaapoError with code `config` where weights of an earlier step cannot be drawn from */
export function requireFresh({ kind, keepsEarlierSamplers }: ServerRules, { staleness }: TinkerSettings): void {
  if (staleness === 0 || keepsEarlierSamplers) return;
  throw new MetaapoError('config', 'this service draws from the weights of the last step alone', {
    where: `model tinker, server ${kind}, staleness`,
    expected: '0',
    got: String(staleness),
    remedy:
      kind === 'skyrl-jax'
        ? 'Set it to 0: drawing from an earlier checkpoint would put it in the place of the trained weights'
        : 'Set it to 0',
  });
}

/**
 * Creates two models, and gives them back.
 * @throws MetaapoError with code `config` where the service has no room for the second one
 */
export async function requireRoom(
  connection: Connection,
  { base, rank }: TinkerSettings,
  { kind }: ServerRules,
): Promise<void> {
  await onScratch(connection, { base, rank }, async () => {
    const create = (): Promise<RemoteModel> => createRemoteModel(connection.service, { base, rank, seed: 0 });
    const second = await create().catch((error: unknown) => {
      if (!isFailure(error, 'refused')) throw error;
      throw new MetaapoError(
        'config',
        'the service holds one model at a time, and the run needs its reference beside it',
        {
          where: `model tinker, server ${kind}`,
          expected: 'room for two models',
          got: error.final.fault.got ?? error.message,
          remedy: `${ROOM[kind]}; or train what needs no second model: one iteration, or a loss that is reference-free, such as simpo`,
          cause: error,
        },
      );
    });
    await second.unload();
  });
}

/** What makes room for a second model. */
const ROOM: { readonly [Kind in ServerRules['kind']]: string } = {
  'skyrl-jax': 'Start the service with "max_lora_adapters": 4 in --backend-config',
  'skyrl-train': 'Start the service with --backend megatron, which holds several adapters of one rank',
  tinker: 'Ask whoever runs the service for a second model',
};

/** Does something with a model that is thrown away; where that is lost, with another one. */
export async function onScratch<Result>(
  { service }: Connection,
  { base, rank }: Pick<TinkerSettings, 'base' | 'rank'>,
  work: (model: RemoteModel) => Promise<Result>,
): Promise<Result> {
  const patience = service.patience();
  for (;;) {
    let model: RemoteModel | undefined;
    try {
      model = await createRemoteModel(service, { base, rank, seed: 0 });
      return await work(model);
    } catch (error) {
      if (!isLost(error) || !(await patience.wait())) throw error;
    } finally {
      await model?.unload();
    }
  }
}
