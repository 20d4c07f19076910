import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import {
  definePart,
  MetaapoError,
  MODEL,
  type ModelDescription,
  type ModelSource,
  type PartContext,
  type PartDefinition,
  parseOptions,
  type TextModel,
} from '@metaapo/core/contracts';
import { connect } from './model/connection.js';
import { findRepeats, findRules } from './model/find-server.js';
import { type RemotePolicy, remotePolicy } from './model/remote-policy.js';
import { onScratch, requireBase, requireFresh, requireRoom } from './model/require-service.js';
import { readSaved } from './model/saved-model.js';
import { noEntropies, requireOptimizer, SERVER_RULES, type ServerRules } from './model/server-rules.js';
import { tinkerPolicy } from './model/tinker-policy.js';
import { createService, type ServiceTimes } from './service/service.js';
import { finalError } from './service/service-failure.js';
import { type TinkerOptions, type TinkerSettings, tinkerOptions } from './tinker-options.js';

/** What a source of models on a service asks of its surroundings. */
export interface TinkerContext extends Pick<PartContext, 'env' | 'signal'> {
  readonly report?: PartContext['report'] | undefined;
  /** Tokenizer, end ids and sizes of the model, see the option `text`. */
  readonly describeText: () => Promise<ModelDescription>;
  /** Waits in milliseconds, for tests. */
  readonly times?: Partial<Omit<ServiceTimes, 'patienceMs'>> | undefined;
}

/** Waits in milliseconds, where no test says others. */
const TIMES: Omit<ServiceTimes, 'patienceMs'> = {
  graceMs: 30_000,
  retryDelayMs: 500,
  beatMs: 10_000,
  pollMs: 45_000,
  requestMs: 120_000,
};

/**
 * A language model on a training service that speaks the Tinker API: SkyRL on one's own cluster, TuFT, the hosted one.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds, an address that cannot be used, or
 * a key that is not set
 */
export function tinker(options: TinkerOptions, context: TinkerContext): ModelSource {
  const settings = parseOptions('model tinker', tinkerOptions, options);
  const { url, base, rank, apiKeyVariable } = settings;
  const { env, signal, describeText } = context;
  const report = context.report ?? (() => undefined);
  const times = { patienceMs: settings.patienceSeconds * 1000, ...TIMES, ...context.times };
  const service = createService({ url, apiKeyVariable, env }, times, signal);
  /** The checkpoint that everything starts from. */
  const origin = once(async () => settings.from && (await readSaved(settings.from, { base, rank })).weights);
  const described = once(async () => describedAs(await describeText(), base, (await origin()) ?? ''));
  const connected = once(async () => {
    await requireBase(service, settings);
    return connect(service, settings.wire);
  });
  const known = once(async (): Promise<ServerRules> => {
    const connection = await connected();
    const { vocabularySize } = await described();
    const rules = await onScratch(connection, settings, async (model) => {
      await findRepeats(connection, model, vocabularySize);
      return settings.server === undefined
        ? findRules(connection, model, vocabularySize)
        : SERVER_RULES[settings.server];
    });
    report(
      `Service: ${url} computes like ${rules.kind}; passes as ${connection.wire.id}; repeated requests are ${connection.repeats}`,
    );
    return rules;
  });
  const opened = new Set<RemotePolicy>();
  const open = async (
    use: { readonly seed: number; readonly from?: string | undefined; readonly fingerprint: string },
    rules?: ServerRules,
  ): Promise<TextModel> => {
    const connection = await connected();
    const { saveEvery, concurrency, staleness, download = rank > 0, serverOptimizer } = settings;
    const policy = remotePolicy(connection, { base, rank, saveEvery, seed: use.seed, from: use.from }, rules);
    opened.add(policy);
    await policy.use(async () => undefined);
    const description = await described();
    const own = { url, base, rank, concurrency, staleness, download, rules, ownOptimizer: serverOptimizer };
    const { tokenizer } = description;
    const model = tinkerPolicy({ connection, policy, tokenizer, fingerprint: use.fingerprint, ...own });
    return { ...description, model };
  };
  const openStart = async (seed: number, rules?: ServerRules): Promise<TextModel> => {
    const fingerprint = hashOf(url, (await described()).fingerprint, 'start');
    return open({ seed, from: await origin(), fingerprint }, rules);
  };
  return {
    id: 'tinker',
    options: settings,
    describe: described,
    async requireAble({ optimizer, entropies, models }) {
      const rules = await orFinal(known);
      requireOptimizer(rules, settings.serverOptimizer, rank, optimizer);
      requireFresh(rules, settings);
      if (entropies) throw noEntropies();
      if (models > 1) await requireRoom(await connected(), settings, rules);
    },
    async openPolicy({ optimizer, seed }) {
      const rules = await orFinal(known);
      requireOptimizer(rules, settings.serverOptimizer, rank, optimizer);
      requireFresh(rules, settings);
      return orFinal(() => openStart(seed, rules));
    },
    async openReference(from) {
      if (from === 'start') return orFinal(() => openStart(0));
      const { weights } = await readSaved(from, { base, rank });
      return orFinal(() => open({ seed: 0, from: weights, fingerprint: hashOf(url, base, weights) }));
    },
    async dispose() {
      await Promise.all([...opened].map((policy) => policy.close()));
      await service.heartbeats.stop();
    },
  };
}

function describedAs(text: ModelDescription, ...names: readonly string[]): ModelDescription {
  return { ...text, fingerprint: hashOf(text.fingerprint, ...names) };
}

function hashOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Failures of the service as errors of this part. */
async function orFinal<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw finalError(error);
  }
}

/** The result of work that is done once; a failure is forgotten. */
function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= work().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

/** {@link tinker} as a part; the part `local` reads what `text` names. */
export const tinkerPart: PartDefinition<ModelSource, TinkerSettings> = definePart<ModelSource, TinkerSettings>({
  slot: MODEL,
  id: 'tinker',
  summary: 'A model on a training service that speaks the Tinker API.',
  options: tinkerOptions,
  create: (options, { baseDirectory, env, signal, report, makePart }) => {
    const { text = options.base, revision } = options;
    const describeText = async (): Promise<ModelDescription> => {
      if (makePart === undefined) throw outsideOfRun();
      const files = await makePart(MODEL, { id: 'local', path: text, ...(revision !== undefined && { revision }) });
      return files.describe();
    };
    const from = options.from && resolve(baseDirectory, options.from);
    return tinker({ ...options, from }, { env, signal, report, describeText });
  },
});

function outsideOfRun(): MetaapoError {
  return new MetaapoError('config', 'the tokenizer cannot be read outside of a composed run', {
    where: 'model tinker, text',
    remedy: 'Call tinker(options, { describeText }) with the description of a model source that reads it',
  });
}
