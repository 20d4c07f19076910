import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
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
import { backoffMs } from '@metaapo/core/http';
import { z } from 'zod';
import { type Connection, connect } from './model/connection.js';
import { findRepeats, findRules } from './model/find-server.js';
import { type RemotePolicy, remotePolicy } from './model/remote-policy.js';
import { readSaved } from './model/saved-model.js';
import { requireOptimizer, SERVER_RULES, SERVERS, type ServerRules } from './model/server-rules.js';
import { tinkerPolicy } from './model/tinker-policy.js';
import { createRemoteModel, isLost, type RemoteModel } from './service/remote-model.js';
import { createService, readReply, type Service, type ServiceTimes } from './service/service.js';
import { finalError } from './service/service-failure.js';

const decay = z.number().min(0).lt(1);

const schema = z.strictObject({
  url: z.string().min(1).max(4096).describe('Address of the service, such as http://head:8000.'),
  base: z.string().min(1).max(4096).describe('The model, in the very words in which the service names it.'),
  text: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('Directory or hub id of its tokenizer, chat template and config; no weights are fetched; default base.'),
  revision: z.string().min(1).max(500).optional().describe('Branch, tag or commit of text, where that is a hub id.'),
  rank: z
    .int()
    .min(0)
    .max(65_536)
    .default(32)
    .describe(
      'Rows of the narrow matrices of the adapter that is trained; 0 trains all parameters, where the service can.',
    ),
  apiKeyVariable: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Environment variable with the API key; left out for a service that wants none.'),
  server: z
    .enum(SERVERS)
    .optional()
    .describe('What the service computes like; default what a probe on a model that is thrown away finds.'),
  wire: z
    .enum(['json', 'protobuf'])
    .optional()
    .describe('How passes are sent; JSON, or protobuf; default JSON where the service takes it.'),
  serverOptimizer: z
    .strictObject({
      betas: z.tuple([decay, decay]).default([0.9, 0.999]).describe('Of the moments.'),
      epsilon: z.number().min(1e-30).max(1).default(1e-8).describe('Beside the root of the second moment.'),
      weightDecay: z.number().min(0).max(1000).default(0.01).describe('Decoupled.'),
      maxGradNorm: z
        .union([z.number().positive().max(1e12), z.literal(false)])
        .default(1)
        .describe('Norm to which gradients are clipped; false: they are not.'),
    })
    .prefault({})
    .describe('AdamW as a service of SkyRL-Train was started with it: it takes no other from a recipe.'),
  saveEvery: z
    .int()
    .min(1)
    .max(100_000)
    .default(20)
    .describe('Updates after which the service keeps the state; after a failure those since are done again.'),
  staleness: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe('Updates that the weights which responses are drawn from may be behind.'),
  download: z
    .boolean()
    .optional()
    .describe(
      'Whether saving fetches the weights beside the note where they lie; default true for adapters, false for whole models.',
    ),
  concurrency: z.int().min(1).max(4096).default(32).describe('Prompts whose responses are under way at a time.'),
  patienceSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(600)
    .describe('How long a service that does not answer is waited for.'),
});

/** Options of {@link tinker}. */
export type TinkerOptions = z.input<typeof schema>;

type Settings = Readonly<z.output<typeof schema>>;

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
  retryDelayMs: 500,
  beatMs: 10_000,
  pollMs: 45_000,
  requestMs: 120_000,
};

const capabilities = z.object({
  supported_models: z.array(
    z.object({ model_name: z.string().nullish(), max_context_length: z.number().nullish().catch(undefined) }),
  ),
});

/**
 * A language model on a training service that speaks the Tinker API: SkyRL on one's own cluster, TuFT, the hosted one.
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds, an address that cannot be used, or
 * a key that is not set
 */
export function tinker(options: TinkerOptions, context: TinkerContext): ModelSource {
  const settings = parseOptions('model tinker', schema, options);
  const { url, base, rank, apiKeyVariable } = settings;
  const { env, signal, describeText } = context;
  const report = context.report ?? (() => undefined);
  const times = { patienceMs: settings.patienceSeconds * 1000, ...TIMES, ...context.times };
  const service = createService({ url, apiKeyVariable, env }, times, signal);
  const described = once(async () => describedAs(await describeText(), base));
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
  const start = async (): Promise<string> => hashOf(url, (await described()).fingerprint, 'start');
  return {
    id: 'tinker',
    options: settings,
    describe: described,
    async openPolicy({ optimizer, seed }) {
      const rules = await orFinal(known);
      requireOptimizer(rules, settings.serverOptimizer, rank, optimizer);
      requireFresh(rules, settings);
      return orFinal(async () => open({ seed, fingerprint: await start() }, rules));
    },
    async openReference(from) {
      if (from === 'start') return orFinal(async () => open({ seed: 0, fingerprint: await start() }));
      const { weights } = await readSaved(from, { base, rank });
      return orFinal(() => open({ seed: 0, from: weights, fingerprint: hashOf(url, base, weights) }));
    },
    async dispose() {
      await Promise.all([...opened].map((policy) => policy.close()));
      await service.heartbeats.stop();
    },
  };
}

function describedAs(text: ModelDescription, base: string): ModelDescription {
  return { ...text, fingerprint: hashOf(base, text.fingerprint) };
}

function hashOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** @throws MetaapoError with code `config` when the service says which models it has, and this is none of them */
async function requireBase(service: Service, { url, base }: Settings): Promise<void> {
  const path = 'get_server_capabilities';
  const { supported_models } = await service.patiently(async () => {
    const reply = await service.http.send({ method: 'GET', path, timeoutMs: 30_000, signal: service.signal });
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
function requireFresh({ kind, keepsEarlierSamplers }: ServerRules, { staleness }: Settings): void {
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

/** Does something with a model that is thrown away; where that is lost, with another one. */
async function onScratch<Result>(
  { service }: Connection,
  { base, rank }: Settings,
  work: (model: RemoteModel) => Promise<Result>,
): Promise<Result> {
  const end = performance.now() + service.times.patienceMs;
  for (let failures = 1; ; failures++) {
    let model: RemoteModel | undefined;
    try {
      model = await createRemoteModel(service, { base, rank, seed: 0 });
      return await work(model);
    } catch (error) {
      if (!isLost(error) || performance.now() > end) throw error;
      await wait(backoffMs(failures, service.times.retryDelayMs), undefined, { signal: service.signal });
    } finally {
      await model?.unload();
    }
  }
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
export const tinkerPart: PartDefinition<ModelSource, Settings> = definePart<ModelSource, Settings>({
  slot: MODEL,
  id: 'tinker',
  summary: 'A model on a training service that speaks the Tinker API.',
  options: schema,
  create: (options, { env, signal, report, makePart }) => {
    const { text = options.base, revision } = options;
    const describeText = async (): Promise<ModelDescription> => {
      if (makePart === undefined) throw outsideOfRun();
      const files = await makePart(MODEL, { id: 'local', path: text, ...(revision !== undefined && { revision }) });
      return files.describe();
    };
    return tinker(options, { env, signal, report, describeText });
  },
});

function outsideOfRun(): MetaapoError {
  return new MetaapoError('config', 'the tokenizer cannot be read outside of a composed run', {
    where: 'model tinker, text',
    remedy: 'Call tinker(options, { describeText }) with the description of a model source that reads it',
  });
}
