import type {
  Generation,
  PartContext,
  ResponseSampler,
  SampledResponse,
  SampledResponses,
  SamplingRequest,
  TextModel,
  Tokenizer,
  TrainableModel,
} from '@metaapo/core/contracts';
import {
  beforeStop,
  deepFrozen,
  definePart,
  MetaapoError,
  MODEL,
  parseOptions,
  SAMPLER,
  textBeforeStop,
} from '@metaapo/core/contracts';
import { z } from 'zod';

const schema = z.strictObject({
  maxNewTokens: z.int().min(1).max(1_000_000).default(2048).describe('Most tokens of a response.'),
  temperature: z
    .union([z.number().min(0.001).max(1000), z.literal(0)])
    .default(1)
    .describe('Divides the logits; 0 takes the likeliest token.'),
  topK: z.int().min(1).max(10_000_000).optional().describe('Keeps the k likeliest tokens; absent: all.'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Keeps the likeliest tokens that together reach this probability; absent: all.'),
  minP: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('Keeps tokens of at least this share of the likeliest one’s probability; absent: all.'),
  repetitionPenalty: z
    .number()
    .min(0.01)
    .max(100)
    .optional()
    .describe('Above 1 makes tokens less likely that are there already; absent: 1.'),
  stop: z
    .array(z.string().min(1).max(1000))
    .max(64)
    .readonly()
    .optional()
    .describe('Texts that end a response; they are left out of it.'),
});

/** With what a recipe may say besides: who writes. */
const partSchema = schema.extend({
  model: z
    .union([z.string().min(1).max(4096), z.looseObject({ id: z.string().min(1).max(100) })])
    .optional()
    .describe(
      'A model that writes in the place of the policy, with the same tokenizer: a path, a hub id, or a model part with its options; absent: the policy.',
    ),
});

/** Options of {@link local}. */
export type LocalOptions = z.input<typeof schema>;

/**
 * Samples from the policy itself, on this machine: prompts computed once for all of their responses, continuously
 * batched. The same request seed gives the same response whatever else is in flight.
 * @param policy borrowed; its model has to generate
 * @throws MetaapoError with code `config` for an option that is unknown or out of bounds, or a model that cannot generate
 */
export function local(options: LocalOptions, policy: TextModel): ResponseSampler {
  const settings = parseOptions('sampler local', schema, options);
  const { model, tokenizer, eosTokenIds } = policy;
  if (model.generate === undefined || tokenizer === undefined) throw cannotGenerate('the policy');
  const { stop, ...choice } = settings;
  async function* sampleFrom(
    from: TrainableModel,
    requests: readonly SamplingRequest[],
    signal?: AbortSignal,
  ): AsyncGenerator<SampledResponses> {
    if (from.generate === undefined) throw cannotGenerate('the reference');
    const generationRequests = requests.map(({ prompt, count, seed, onText }) => ({
      ...choice,
      prompt,
      count,
      seed,
      stopTokenIds: eosTokenIds,
      stopTexts: stop,
      onToken: onText && textTeller(onText, tokenizer!, stop),
    }));
    for await (const { request, generations } of from.generate(generationRequests, signal)) {
      const { row, logprobs } = requests[request]!;
      yield {
        row,
        responses: generations.map((generation) => {
          const response = toResponse(generation, policy, tokenizer!, stop);
          return logprobs === true ? withLogprobs(response, generation) : response;
        }),
      };
    }
  }
  return {
    id: 'local',
    options: settings,
    sample: (requests, signal) => sampleFrom(model, requests, signal),
    sampleFrom,
  };
}

function cannotGenerate(what: string): MetaapoError {
  return new MetaapoError('config', `${what} cannot generate text`, {
    where: 'sampler local',
    expected: 'a model opened for generation, with a tokenizer',
  });
}

function toResponse(
  { tokens, finishReason }: Generation,
  { eosTokenIds }: TextModel,
  tokenizer: Tokenizer,
  stop: readonly string[] = [],
): SampledResponse {
  const before = beforeStop(tokens, stop, tokenizer);
  if (before === tokens) return { text: tokenizer.decode(tokens), tokens, finishReason };
  const ended = Int32Array.of(...before, ...eosTokenIds.slice(0, 1));
  return { text: tokenizer.decode(before), tokens: ended, finishReason: 'stop' };
}

/** The response with the log-probabilities of its tokens; an end in the place of a stop text was not drawn. */
function withLogprobs(response: SampledResponse, { tokens, logprobs }: Generation): SampledResponse {
  if (response.tokens === tokens) return { ...response, logprobs };
  const drawn = (token: number, at: number): number => (token === tokens[at] ? logprobs[at]! : Number.NaN);
  return { ...response, logprobs: Float32Array.from(response.tokens, drawn) };
}

/** Tells the text of responses as it grows: without a character that is not whole yet, and never the same twice. */
function textTeller(
  onText: NonNullable<SamplingRequest['onText']>,
  tokenizer: Tokenizer,
  stop: readonly string[] = [],
): (response: number, tokens: readonly number[]) => void {
  const told = new Map<number, number>();
  return (response, tokens) => {
    const text = textBeforeStop(tokenizer.decode(Int32Array.from(tokens)), stop).replace(/\uFFFD+$/, '');
    if (text.length <= (told.get(response) ?? 0)) return;
    told.set(response, text.length);
    onText(response, text);
  };
}

type PartOptions = z.output<typeof partSchema>;
type WithModel = PartOptions & { readonly model: NonNullable<PartOptions['model']> };

/** Tokens of the KV cache of another model than the policy. */
const CACHED_TOKENS = 16_384;

/** Samples from another model than the policy, which the sampler owns. */
async function ofAnother(
  { model, ...options }: WithModel,
  policy: TextModel,
  { makePart }: PartContext,
): Promise<ResponseSampler> {
  const recipe = typeof model === 'string' ? { id: 'local', path: model } : model;
  const source = await makePart!(MODEL, recipe);
  const { tokenizer } = await source.describe();
  if (tokenizer?.fingerprint !== policy.tokenizer?.fingerprint) {
    throw new MetaapoError('config', 'the model that is to write has another tokenizer than the policy', {
      where: 'sampler local model',
      expected: 'a model whose ids and template are those of the policy, which is trained on what it writes',
      got: typeof model === 'string' ? model : model.id,
      remedy: 'Choose another model, or serve it and use the sampler openai',
    });
  }
  const opened = await source.openReference('start', { cachedTokens: CACHED_TOKENS });
  return {
    ...local(options, opened),
    options: deepFrozen({ ...options, model }),
    dispose: () => opened.model.dispose(),
  };
}

/** {@link local} as a part. */
export const localPart = definePart({
  slot: SAMPLER,
  id: 'local',
  summary: 'Samples from the policy itself, on this machine.',
  options: partSchema,
  create: async ({ model, ...options }, context) => {
    const { policy } = context;
    if (policy === undefined) {
      throw new MetaapoError('config', 'there is no policy to sample from', { where: 'sampler local' });
    }
    return model === undefined ? local(options, policy) : ofAnother({ ...options, model }, policy, context);
  },
  async inspect({ model }, { inspectPart }) {
    if (model === undefined) return {};
    return (await inspectPart?.(MODEL, typeof model === 'string' ? { id: 'local', path: model } : model)) ?? {};
  },
});
