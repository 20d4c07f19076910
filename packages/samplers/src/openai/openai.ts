import type { ResponseSampler, SamplingRequest, ServerDraws, ServerProbe, TextModel } from '@metaapo/core/contracts';
import { definePart, MetaapoError, parseOptions, SAMPLER } from '@metaapo/core/contracts';
import { createJsonClient, type JsonClient, reachModelServers, withVariables } from '@metaapo/core/http';
import { asCompleted } from './as-completed.js';
import type { CallContext } from './ask.js';
import { checkSettings } from './check-settings.js';
import { endTokenFinder } from './end-token.js';
import { createForeignSettings } from './foreign-settings.js';
import { type OpenaiOptions, openaiSchema } from './openai-options.js';
import { probeServer } from './probe-server.js';
import { refreshServers, type Surroundings } from './refresh-servers.js';
import { sampleRequest } from './sample-request.js';
import { createResponseTally, RefusedRow, refusedRowsError } from './unusable.js';

const SERVICE = 'sampler openai';
/** Bytes of a reply: sixteen responses of thousands of tokens with their log-probabilities. */
const MAX_REPLY_BYTES = 64 * 2 ** 20;

/**
 * Samples from servers of the OpenAI protocol that serve the policy: vLLM, SGLang, llama.cpp and others. Each request is
 * yielded when its responses are complete; one that was answered is never asked again. Rows that a server refuses are
 * reported when all others are answered.
 * @param policy borrowed; its tokenizer gives the token ids of what the servers write
 * @param surroundings where keys are read, commands run and lines are reported; default this process
 * @throws MetaapoError with code `config` for an option that is not accepted, an API key that is not set, or a policy
 * without tokenizer; when it samples, with code `network` when no server answers, or one refuses rows
 */
export function openai(
  options: OpenaiOptions,
  policy: TextModel,
  surroundings: Partial<Surroundings> = {},
): ResponseSampler {
  const settings = parseOptions(SERVICE, openaiSchema, options);
  const { tokenizer, eosTokenIds } = policy;
  if (tokenizer === undefined) {
    throw new MetaapoError('config', 'the policy has no tokenizer', {
      where: SERVICE,
      expected: 'tokenizer.json in the model directory: what servers write is text',
    });
  }
  const { env = process.env, baseDirectory = process.cwd(), report = () => undefined } = surroundings;
  const { value: extraBody, secrets } = withVariables(SERVICE, settings.extraBody, env);
  const connection = { ...settings, service: SERVICE, env, secrets };
  const reply = settings.stream ? 'events' : 'json';
  const client = createJsonClient({ ...connection, baseUrl: settings.baseUrls, reply, maxReplyBytes: MAX_REPLY_BYTES });
  const endTokenOf = endTokenFinder(policy, tokenizer);
  let model = settings.startModel ?? settings.model;
  const takesN = {
    isRefused: false,
    refuse(reason: string) {
      if (!takesN.isRefused) report(`${SERVICE}: the server ${reason}; each response is asked for by itself`);
      takesN.isRefused = true;
    },
  };
  const foreign = createForeignSettings(SERVICE, policy.directory, report);
  const contextOf = (ofCalls: JsonClient): CallContext => ({
    client: ofCalls,
    settings: { ...settings, model, extraBody },
    readerOf: (request) => ({
      tokenizer,
      eosTokenIds,
      endTokenId: endTokenOf(request),
      stop: settings.stop,
      where: `${SERVICE}, model ${model}, row ${request.row}`,
      shown: ofCalls.shown,
    }),
    takesN,
    foreign,
  });
  const probe = (request: SamplingRequest, signal?: AbortSignal): Promise<readonly ServerProbe[]> => {
    const probeOne = (baseUrl: string): Promise<ServerProbe> =>
      probeServer(baseUrl, request, contextOf(createJsonClient({ ...connection, baseUrl })), signal);
    return Promise.all(settings.baseUrls.map(probeOne));
  };
  const lookAt = (requests: readonly SamplingRequest[], signal?: AbortSignal): Promise<readonly ServerDraws[]> => {
    const lookAtOne = (baseUrl: string): Promise<ServerDraws> => {
      const { origin, pathname } = new URL(baseUrl);
      const context = contextOf(createJsonClient({ ...connection, baseUrl }));
      return checkSettings(`${origin}${pathname}`, requests, context, signal);
    };
    return Promise.all(settings.baseUrls.map(lookAtOne));
  };
  if (settings.refresh === 'none') {
    report(`${SERVICE}: refresh is none; the servers have to follow the policy by themselves`);
  }
  return {
    id: 'openai',
    options: settings,
    async *sample(requests: readonly SamplingRequest[], signal?: AbortSignal) {
      signal?.throwIfAborted();
      const end = new AbortController();
      const either = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
      const tally = createResponseTally(SERVICE);
      const context = { ...contextOf(client), tally };
      const refused: RefusedRow[] = [];
      try {
        for await (const result of asCompleted(requests.map((one) => sampleRequest(one, context, either)))) {
          if (result instanceof RefusedRow) refused.push(result);
          else yield result;
        }
        tally.end(report);
        if (refused.length > 0) throw refusedRowsError(`${SERVICE}, model ${model}`, refused);
      } finally {
        // A failure, or a caller who wants no more, ends what is still under way.
        end.abort();
      }
    },
    ...(settings.probe && { probe, checkSettings: lookAt }),
    async refresh(modelDirectory, signal) {
      await refreshServers(modelDirectory, settings, { env, baseDirectory, report }, signal);
      model = settings.model;
    },
  };
}

/** {@link openai} as a part. */
export const openaiPart = definePart({
  slot: SAMPLER,
  id: 'openai',
  summary: 'Samples from servers of the OpenAI protocol that serve the policy.',
  options: openaiSchema,
  create: (options, { policy, env, baseDirectory, report }) => {
    if (policy !== undefined) return openai(options, policy, { env, baseDirectory, report });
    throw new MetaapoError('config', 'there is no policy whose tokenizer could be used', { where: SERVICE });
  },
  async inspect({ baseUrls, apiKeyVariable, extraBody, startModel, model }, { env, report, signal }) {
    withVariables(SERVICE, extraBody, env);
    const connection = { service: SERVICE, baseUrl: baseUrls, apiKeyVariable, env };
    await reachModelServers({ ...connection, model: startModel ?? model }, report, signal);
    return {};
  },
});
