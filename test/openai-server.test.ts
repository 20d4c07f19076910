import { join } from 'node:path';
import type { ResponseSampler, SampledResponses, SamplingRequest } from '@metaapo/core/contracts';
import { type LoadedTextModel, loadTextModel } from '@metaapo/models';
import { local, type OpenaiOptions, openai } from '@metaapo/samplers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareBackend } from './support/backends.js';
import { temporaryDirectory } from './support/metaapo.js';
import { availableServers, type ModelServer, startModelServer } from './support/model-server.js';
import { SERVED_MODELS } from './support/served-models.js';

const MAX_NEW_TOKENS = 12;
const directory = temporaryDirectory();
const PROMPTS = ['Sort: 5 3 8', 'Sort: 9 1', 'What is a ship?', 'Name three colours.'];

function requestsOf({ tokenizer }: LoadedTextModel, count: number): readonly SamplingRequest[] {
  return PROMPTS.map((content, row) => {
    const messages = [{ role: 'user', content }];
    const prompt = tokenizer!.encode(tokenizer!.renderChat(messages, { addGenerationPrompt: true }));
    return { row, prompt, messages, count, seed: 40 + row };
  });
}

async function all(sampler: ResponseSampler, requests: readonly SamplingRequest[]) {
  const answers: SampledResponses[] = [];
  for await (const answer of sampler.sample(requests)) answers.push(answer);
  return answers.sort((a, b) => a.row - b.row);
}

/** Raises the probability of one response to all prompts until it is what the policy writes. */
async function teach({ model, tokenizer }: LoadedTextModel, requests: readonly SamplingRequest[]): Promise<void> {
  const response = Int32Array.of(...tokenizer!.encode('3 3 1 1'), tokenizer!.eosTokenId!);
  const groups = requests.map(({ prompt }) => ({ prompt, responses: [response] }));
  for (let step = 1; step <= 8; step++) {
    const ticket = await model.forward(groups);
    await model.backward(ticket, { perResponse: new Float32Array(groups.length).fill(-1 / groups.length) });
    const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
    await model.apply({ ...settings, step, learningRate: 2e-3 });
  }
}

const servers = availableServers();

for (const served of SERVED_MODELS) {
  const missing = servers.includes(served.server) ? served.missing : 'the Python that PYTHON names has no such server';
  if (missing !== undefined) console.log(`skipped: responses of ${served.server}; ${missing}`);

  describe.skipIf(missing !== undefined)(`the sampler openai on ${served.server}`, () => {
    let server: ModelServer;
    let policy: LoadedTextModel;
    let requests: readonly SamplingRequest[];
    const sampler = (options: Partial<OpenaiOptions> = {}): ResponseSampler => {
      const own = { baseUrls: [server.baseUrl], model: 'policy', maxNewTokens: MAX_NEW_TOKENS };
      return openai({ ...own, ...served.options(server), ...options }, policy);
    };
    /** Passes when the server gives the tokens of short responses the probabilities that the policy gives them. */
    const expectOwnLogprobs = async (from: ResponseSampler): Promise<void> => {
      for (const request of requests) {
        const [probe] = await from.probe!(request);
        expect(probe!.server).toBe(server.baseUrl);
        expect(probe!.response !== undefined).toBe(served.givesLogprobs);
        if (probe!.response === undefined) continue;
        const { tokens, logprobs } = probe!.response;
        const group = { prompt: request.prompt, responses: [tokens] };
        const { tokenLogprobs: mine } = await policy.model.evaluate([group], { tokenLogprobs: true });
        for (const [at, logprob] of mine!.entries()) expect(logprobs[at]).toBeCloseTo(logprob, 3);
      }
    };
    /** What the policy writes at temperature 0, in this process. */
    const own = () => all(local({ maxNewTokens: MAX_NEW_TOKENS, temperature: 0 }, policy), requests);

    beforeAll(async () => {
      const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
      if ((await prepareBackend('tensorflow')) !== undefined) await prepareBackend('wasm');
      const model = served.prepare(join(directory, served.server));
      server = await startModelServer(model, served);
      policy = await loadTextModel(model, { optimizer, cachedTokens: 4096, lora: served.lora });
      requests = requestsOf(policy, 1);
    });
    afterAll(async () => {
      policy?.model.dispose();
      await server?.stop();
    });

    it('gives K responses to each prompt, with tokens and how they ended', async () => {
      const answers = await all(sampler(), requestsOf(policy, 3));
      expect(answers.map(({ responses }) => responses.length)).toEqual(PROMPTS.map(() => 3));
      for (const { text, tokens, finishReason } of answers.flatMap(({ responses }) => responses)) {
        expect(['stop', 'length']).toContain(finishReason);
        expect(policy.tokenizer!.decode(tokens)).toBe(text);
        expect(policy.eosTokenIds.includes(tokens.at(-1)!)).toBe(finishReason === 'stop');
        expect(tokens.length).toBeLessThanOrEqual(MAX_NEW_TOKENS);
      }
      const texts = answers.flatMap(({ responses }) => responses.map(({ text }) => text));
      expect(new Set(texts).size).toBeGreaterThan(PROMPTS.length);
    });

    it('gives the responses of this process at temperature 0, by replies and by streams', async () => {
      const expected = await own();
      expect(await all(sampler({ temperature: 0 }), requests)).toEqual(expected);
      expect(await all(sampler({ temperature: 0, stream: true }), requests)).toEqual(expected);
    });

    it.runIf(served.readsTokenIds)('gives them for token ids as well', async () => {
      expect(await all(sampler({ temperature: 0, endpoint: 'completions' }), requests)).toEqual(await own());
    });

    it('probes what the server computes, where it says', async () => {
      for (const endpoint of served.readsTokenIds ? (['chat', 'completions'] as const) : (['chat'] as const)) {
        await expectOwnLogprobs(sampler({ endpoint }));
      }
    });

    it('writes and computes what the trained policy does after a refresh, and not before', async () => {
      const before = await own();
      await teach(policy, requests);
      const taught = await own();
      expect(taught).not.toEqual(before);
      const trained = join(directory, `${served.server}-trained`);
      await policy.model.save(trained);
      const greedy = sampler({ temperature: 0 });
      expect(await all(greedy, requests)).toEqual(before);
      await greedy.refresh!(trained);
      expect(await all(greedy, requests)).toEqual(taught);
      await expectOwnLogprobs(greedy);
    });
  });
}
