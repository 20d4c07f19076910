import type { Generation, GenerationRequest, ModelSource, TextModel } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDifference } from '../same-values.js';
import { groupsOf, modelName, requireSame, toleranceOf, withPolicy } from './model-cases.js';
import type { ModelFlags } from './model-flags.js';

const COUNT = 3;

function requestsOf(flags: ModelFlags, { eosTokenIds }: TextModel): GenerationRequest[] {
  return groupsOf(flags).map(({ prompt }, at) => ({
    prompt,
    count: COUNT,
    maxNewTokens: flags.maxNewTokens ?? 6,
    temperature: 1,
    stopTokenIds: eosTokenIds,
    seed: 100 + at,
  }));
}

async function generated(policy: TextModel, requests: readonly GenerationRequest[]): Promise<readonly Generation[][]> {
  const all: Generation[][] = requests.map(() => []);
  for await (const { request, generations } of policy.model.generate!(requests)) all[request]!.push(...generations);
  return all;
}

/**
 * Passes when a model that generates answers every request with as many responses as it wants, of tokens of its vocabulary,
 * ended by an end id or cut at the limit, with the log-probabilities that an evaluation gives them. A model without
 * `generate` passes.
 * @throws ConformanceError that names the request
 */
export async function checkModelGeneration(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  await withPolicy(source, async (policy) => {
    if (policy.model.generate === undefined) return;
    const requests = requestsOf(flags, policy);
    const responses = await generated(policy, requests);
    for (const [at, request] of requests.entries()) {
      if (responses[at]!.length !== COUNT) {
        throw new ConformanceError(name, `request ${at} wants ${COUNT} responses and gets ${responses[at]!.length}`);
      }
      for (const one of responses[at]!) {
        const fault = faultOf(one, request, policy);
        if (fault !== undefined) throw new ConformanceError(name, `a response to request ${at} ${fault}`);
      }
      const groups = [{ prompt: request.prompt, responses: responses[at]!.map(({ tokens }) => tokens) }];
      const { sumLogprobs } = await policy.model.evaluate(groups);
      const drawn = responses[at]!.map(({ logprobs }) => logprobs.reduce((sum, value) => sum + value, 0));
      requireSame(
        name,
        'log-probabilities of drawn tokens are others when evaluated',
        drawn,
        sumLogprobs,
        toleranceOf(flags),
      );
    }
  });
}

function faultOf(
  { tokens, logprobs, finishReason }: Generation,
  { maxNewTokens, stopTokenIds }: GenerationRequest,
  { vocabularySize }: TextModel,
): string | undefined {
  if (tokens.length === 0 || tokens.length > maxNewTokens) return `has ${tokens.length} tokens`;
  if (tokens.length !== logprobs.length) return `has ${logprobs.length} log-probabilities of ${tokens.length} tokens`;
  const beyond = tokens.find((id) => !(id >= 0 && id < vocabularySize));
  if (beyond !== undefined) return `has the token id ${beyond}`;
  const end = tokens.findIndex((id) => stopTokenIds.includes(id));
  if (end >= 0 && end < tokens.length - 1) return 'goes on after an end';
  const expected = end < 0 ? 'length' : 'stop';
  return finishReason === expected ? undefined : `ended with ${finishReason}, expected ${expected}`;
}

/**
 * Passes when the same seed gives the same tokens again, also when a request comes alone, and another seed gives others.
 * @throws ConformanceError that names the request
 */
export async function checkModelSeeds(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  await withPolicy(source, async (policy) => {
    if (policy.model.generate === undefined) return;
    const requests = requestsOf(flags, policy);
    const idsOf = async (wanted: readonly GenerationRequest[]): Promise<number[][]> =>
      (await generated(policy, wanted)).map((all) => all.flatMap(({ tokens }) => [...tokens, -1]));
    const together = await idsOf(requests);
    for (const [at, request] of requests.entries()) {
      const [alone] = await idsOf([request]);
      if (firstDifference(alone!, together[at]!) === undefined) continue;
      throw new ConformanceError(name, `request ${at} gets other responses when it comes alone`);
    }
    const others = await idsOf(requests.map((request) => ({ ...request, seed: request.seed + 1000 })));
    if (others.every((ids, at) => firstDifference(ids, together[at]!) === undefined)) {
      throw new ConformanceError(name, 'it gives the same responses for every seed');
    }
  });
}
