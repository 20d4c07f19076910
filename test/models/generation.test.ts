import { join } from 'node:path';
import type { Generation, GenerationRequest, TextModel, TrainableModel } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import type { BackendId, Executor } from '@metaapo/engine';
import { type LanguageModel, loadLanguageModel, loadTextModel } from '@metaapo/models';
import { local } from '@metaapo/samplers';
import { describeSampler } from '@metaapo/testing';
import { describe, expect, it } from 'vitest';
import { prepareBackend } from '../support/backends.js';
import { oneOfEachFamily } from '../support/golden-models.js';
import { quickstartModel, root } from '../support/metaapo.js';

const FIXTURES = join(root, 'fixtures', 'models');
const WAYS: readonly (readonly [BackendId, Executor])[] = [
  ['tensorflow', 'compiled'],
  ['tensorflow', 'eager'],
  ['wasm', 'eager'],
];

const directoryOf = (name: string): string => join(FIXTURES, name);

/** A request with a prompt of its own, made of its number. */
function requestOf(number: number, choice: Partial<GenerationRequest> = {}): GenerationRequest {
  const length = 2 + Math.floor(9 * uniformOf(['length', number]));
  const prompt = Int32Array.from({ length }, (_, at) => 3 + Math.floor(93 * uniformOf(['prompt', number, at])));
  const count = 1 + (number % 3);
  return { prompt, count, maxNewTokens: 8, stopTokenIds: [1], seed: number, temperature: 1, ...choice };
}

async function generateAll(
  model: LanguageModel,
  requests: readonly GenerationRequest[],
): Promise<readonly (readonly Generation[])[]> {
  const all: (readonly Generation[])[] = requests.map(() => []);
  for await (const { request, generations } of model.generate!(requests)) all[request] = generations;
  return all;
}

const tokensOf = (generations: readonly Generation[]): number[][] => generations.map(({ tokens }) => [...tokens]);

for (const [backend, executor] of WAYS) {
  describe(`generation on ${backend}, ${executor}`, () => {
    /** Runs with a model that has room for `cachedTokens`, where the backend is there. */
    const withModel = async (
      directory: string,
      context: { skip(reason: string): void },
      use: (model: LanguageModel) => Promise<void>,
      cachedTokens = 4096,
    ): Promise<void> => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) return context.skip(missing);
      const model = await loadLanguageModel(directory, { executor, cachedTokens });
      try {
        await use(model);
      } finally {
        model.dispose();
      }
    };

    it('gives the same where sequences have to wait anew for room in a small KV cache', async (context) => {
      // Most responses end early, so that more are let in than fit where some grow to the limit.
      const stopTokenIds = Array.from({ length: 24 }, (_, id) => id);
      const requests = Array.from({ length: 24 }, (_, number) =>
        requestOf(number, { count: 4, maxNewTokens: 96, stopTokenIds }),
      );
      const results: number[][][][] = [];
      for (const cachedTokens of [16_384, 420]) {
        await withModel(
          directoryOf('qwen2'),
          context,
          async (model) => {
            results.push((await generateAll(model, requests)).map(tokensOf));
            // A second time: every row was given back and is zero again.
            expect((await generateAll(model, requests)).map(tokensOf)).toEqual(results.at(-1));
          },
          cachedTokens,
        );
      }
      expect(results[1]).toEqual(results[0]);
    });

    for (const name of oneOfEachFamily(FIXTURES)) {
      it(`${name}: a request alone gives what it gives among 63 others`, (context) =>
        withModel(directoryOf(name), context, async (model) => {
          for (const temperature of [0, 1]) {
            const requests = Array.from({ length: 64 }, (_, number) => requestOf(number, { temperature }));
            const together = await generateAll(model, requests);
            for (const number of [0, 17, 41, 63]) {
              const [alone] = await generateAll(model, [requests[number]!]);
              expect(tokensOf(alone!), `request ${number} at temperature ${temperature}`).toEqual(
                tokensOf(together[number]!),
              );
            }
          }
        }));

      it(`${name}: log-probabilities of drawn tokens are those of the whole sequence`, (context) =>
        withModel(directoryOf(name), context, async (model) => {
          const requests = Array.from({ length: 6 }, (_, number) => requestOf(number));
          const all = await generateAll(model, requests);
          const groups = requests.map(({ prompt }, at) => ({
            prompt,
            responses: all[at]!.map(({ tokens }) => tokens),
          }));
          const { tokenLogprobs: logprobs } = await model.evaluate(groups, { tokenLogprobs: true });
          const drawn = all.flat().flatMap((generation) => [...generation.logprobs]);
          expect(drawn).toHaveLength(logprobs!.length);
          for (const [at, value] of drawn.entries()) expect(Math.abs(value - logprobs![at]!)).toBeLessThan(2e-5);
        }));
    }

    it('gives the same with room for two requests only as with room for all', (context) =>
      withModel(directoryOf('qwen2'), context, async (roomy) => {
        const requests = Array.from({ length: 12 }, (_, number) => requestOf(number));
        const expected = (await generateAll(roomy, requests)).map(tokensOf);
        await withModel(
          directoryOf('qwen2'),
          context,
          async (model) => expect((await generateAll(model, requests)).map(tokensOf)).toEqual(expected),
          64,
        );
      }));

    it('ends at each of several ids, and says so', (context) =>
      withModel(directoryOf('qwen2'), context, async (model) => {
        const request = requestOf(3, { count: 1, stopTokenIds: [], maxNewTokens: 12 });
        const [[whole]] = (await generateAll(model, [request])) as [[Generation]];
        expect(whole.finishReason).toBe('length');
        const third = whole.tokens[2]!;
        const at = whole.tokens.indexOf(third) + 1;
        const [[stopped]] = (await generateAll(model, [{ ...request, stopTokenIds: [99, third] }])) as [[Generation]];
        expect([...stopped.tokens]).toEqual([...whole.tokens.subarray(0, at)]);
        expect(stopped.finishReason).toBe('stop');
      }));

    it('ends with the token that makes a stop text whole, and refuses stop texts that no tokenizer reads', async (context) => {
      const missing = await prepareBackend(backend);
      if (missing !== undefined) return context.skip(missing);
      const { model, tokenizer } = await loadTextModel(quickstartModel, { executor, cachedTokens: 256 });
      const request = {
        ...requestOf(3, { count: 1, stopTokenIds: [], maxNewTokens: 12 }),
        prompt: Int32Array.of(20, 4),
      };
      const [[whole]] = (await generateAll(model, [request])) as [[Generation]];
      const stopText = tokenizer!.decode(whole.tokens.subarray(3, 5), { keepSpecialTokens: true });
      const stopTexts = ['never written', stopText];
      const [[stopped]] = (await generateAll(model, [{ ...request, stopTexts }])) as [[Generation]];
      expect(stopped).toMatchObject({ finishReason: 'stop', tokens: whole.tokens.subarray(0, 5) });
      model.dispose();
      const deaf = await loadLanguageModel(quickstartModel, { executor, cachedTokens: 256 });
      await expect(generateAll(deaf, [{ ...request, stopTexts }])).rejects.toThrow(/stop texts need a tokenizer/);
      deaf.dispose();
    });

    it('refuses a request that has no room, before anything is computed', (context) =>
      withModel(
        directoryOf('qwen2'),
        context,
        async (model) => {
          const requests = [requestOf(0), requestOf(1, { maxNewTokens: 100 })];
          await expect(generateAll(model, requests)).rejects.toMatchObject({ code: 'config' });
        },
        64,
      ));

    it('stops between two tokens when it is aborted, and can generate again', (context) =>
      withModel(directoryOf('qwen2'), context, async (model) => {
        const controller = new AbortController();
        const requests = Array.from({ length: 8 }, (_, number) => requestOf(number, { maxNewTokens: 2 + 4 * number }));
        const aborted = (async () => {
          for await (const _ of model.generate!(requests, controller.signal)) controller.abort();
        })();
        await expect(aborted).rejects.toThrow();
        expect((await generateAll(model, requests)).map(tokensOf)).toEqual(
          (await generateAll(model, requests)).map(tokensOf),
        );
      }));
  });
}

describe('the sampler local', () => {
  describeSampler(
    { describe, it },
    async () => {
      if ((await prepareBackend('tensorflow')) !== undefined) await prepareBackend('wasm');
      const policy = await loadTextModel(quickstartModel, { cachedTokens: 1024 });
      const sampler = local({ maxNewTokens: 12 }, policy);
      return { ...sampler, dispose: () => policy.model.dispose() };
    },
    { name: 'conformance' },
  );

  it('draws from another model as that one would itself', async () => {
    if ((await prepareBackend('tensorflow')) !== undefined) await prepareBackend('wasm');
    const [policy, other] = await Promise.all([1, 2].map(() => loadTextModel(quickstartModel, { cachedTokens: 1024 })));
    const mute = { ...policy!, model: { ...other!.model, generate: () => Promise.reject(new Error('not asked')) } };
    const sampler = local({ maxNewTokens: 12 }, mute as unknown as TextModel);
    const requests = [{ row: 3, prompt: policy!.tokenizer!.encode('sort 3 1 2'), count: 2, seed: 9 }];
    const drawn = async (answers: ReturnType<typeof sampler.sample>) => {
      for await (const answer of answers) return answer;
      throw new Error('no responses');
    };
    const expected = await drawn(local({ maxNewTokens: 12 }, other!).sample(requests));
    expect(await drawn(sampler.sampleFrom!(other!.model, requests))).toEqual(expected);
    const { generate: _, ...silent } = other!.model;
    await expect(drawn(sampler.sampleFrom!(silent as TrainableModel, requests))).rejects.toThrow(
      /sampler local.*the reference cannot generate text/,
    );
    for (const { model } of [policy!, other!]) model.dispose();
  });

  it("gives the model's own log-probabilities where asked, and tells texts as they grow", async () => {
    if ((await prepareBackend('tensorflow')) !== undefined) await prepareBackend('wasm');
    const policy = await loadTextModel(quickstartModel, { cachedTokens: 1024 });
    const prompt = policy.tokenizer!.encode('sort 3 1 2');
    const told = new Map<number, string[]>();
    const onText = (response: number, text: string) => void told.set(response, [...(told.get(response) ?? []), text]);
    const asked = { row: 5, prompt, count: 3, seed: 9 };
    const drawn = async (options: Parameters<typeof local>[0], more: object = {}) => {
      for await (const { responses } of local({ maxNewTokens: 12, ...options }, policy).sample([
        { ...asked, ...more },
      ])) {
        return responses;
      }
      throw new Error('no responses');
    };
    const filters = { temperature: 0.7, topK: 20 };
    const plain = await drawn(filters);
    expect(plain.every(({ logprobs }) => logprobs === undefined)).toBe(true);
    const responses = await drawn(filters, { logprobs: true, onText });
    expect(responses.map(({ text }) => text)).toEqual(plain.map(({ text }) => text));
    const groups = [{ prompt, responses: responses.map(({ tokens }) => tokens) }];
    const { sumLogprobs } = await policy.model.evaluate(groups);
    for (const [index, { logprobs, tokens, text }] of responses.entries()) {
      expect(logprobs!.length).toBe(tokens.length);
      expect(logprobs!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(sumLogprobs[index]!, 3);
      const texts = told.get(index)!;
      expect(texts.at(-1)!.trim()).toBe(text.trim());
      for (const [at, longer] of texts.slice(1).entries()) expect(longer.startsWith(texts[at]!)).toBe(true);
    }
    const stop = [...responses[0]!.text.trim()].at(1)!;
    const [stopped] = await drawn({ ...filters, stop: [stop] }, { logprobs: true });
    const { logprobs, finishReason } = stopped!;
    expect(finishReason).toBe('stop');
    expect(logprobs!.at(-1)).toBeNaN();
    expect([...logprobs!.subarray(0, -1)]).toEqual([...responses[0]!.logprobs!.subarray(0, logprobs!.length - 1)]);
    policy.model.dispose();
  });
});
