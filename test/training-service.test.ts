import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { type SmallServerOptions, smallServer } from '../packages/tinker/test/small-server.js';
import { interruptedMetaapo, quickstartModel, root, startedMetaapo, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);
const env = { METAAPO_HOME: at('home'), METAAPO_BACKEND: 'wasm', SERVICE_KEY: 'tml-very-secret' };
const VOCABULARY = 47;

beforeAll(async () => {
  await writePreferences(at('pairs.jsonl'), 24, 1);
  await writePreferences(at('held-out.jsonl'), 8, 2);
});

async function served(options: Partial<SmallServerOptions> = {}): Promise<Awaited<ReturnType<typeof smallServer>>> {
  const server = await smallServer({
    ...{ kind: 'skyrl-jax', repeats: 'ignored', wires: ['json'], vocabulary: VOCABULARY },
    ...options,
  });
  onTestFinished(server.close);
  return server;
}

const model = (url: string, more: object = {}) => ({
  ...{ id: 'tinker', url, base: 'tiny', text: quickstartModel, rank: 8, apiKeyVariable: 'SERVICE_KEY' },
  ...more,
});

/** A recipe that trains on a service what another one would train here. */
function recipeFile(name: string, url: string, more: object = {}, modelMore: object = {}): string {
  const recipe = {
    model: model(url, modelMore),
    data: { train: at('pairs.jsonl'), eval: at('held-out.jsonl'), maxLength: 64 },
    training: {
      batchSize: 8,
      learningRate: 0.05,
      warmupSteps: 0,
      maxGradNorm: false,
      saveEvery: 1,
      microBatchTokens: 256,
    },
    output: at(name),
    ...more,
  };
  writeFileSync(at(`${name}.yaml`), JSON.stringify(recipe));
  return at(`${name}.yaml`);
}

const loop = {
  metaLearner: { id: 'mlp', updateEvery: 2 },
  iterations: 2,
  responsesPerPrompt: 3,
  selection: { id: 'all' },
  sampler: { id: 'local', maxNewTokens: 8 },
  rewardModel: { id: 'function', path: join(root, 'examples/quickstart/reward.mjs') },
};

const linesOf = (file: string): Record<string, number>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);
const lossesOf = (name: string): number[] => linesOf(join(at(name), 'metrics.jsonl')).flatMap(({ loss }) => loss ?? []);

describe('a policy on a training service', () => {
  it('is trained by the same recipe, with the same numbers on services that reduce and speak otherwise', async () => {
    const first = await served();
    const second = await served({ kind: 'tinker', repeats: 'kept', wires: ['protobuf'] });
    for (const [name, { url }] of Object.entries({ means: first, sums: second })) {
      const trained = await startedMetaapo(['train', recipeFile(name, url)], env);
      expect(trained.status, trained.stderr).toBe(0);
      expect(trained.stderr + trained.stdout).not.toContain('very-secret');
    }
    const losses = lossesOf('means');
    expect(losses[0]).toBeCloseTo(Math.log(2), 5);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    for (const [index, loss] of lossesOf('sums').entries()) expect(loss).toBeCloseTo(losses[index]!, 5);
    expect(first.seen.at(-1)!.headers['x-api-key']).toBe('tml-very-secret');
    expect(first.service.modelIds()).toEqual([]);
    const saved = JSON.parse(readFileSync(join(at('means'), 'model', 'service.json'), 'utf8')) as { updates: number };
    expect(saved.updates).toBe(3);
    const settings = readFileSync(join(at('means'), 'model', 'adapter_config.json'), 'utf8');
    expect(JSON.parse(settings)).toMatchObject({ target_modules: ['q_proj'], task_type: 'CAUSAL_LM' });
  });

  it('goes through the whole loop, and on after an interruption', async () => {
    const server = await served();
    const whole = await startedMetaapo(['run', recipeFile('whole', server.url, loop)], env);
    expect(whole.status, whole.stderr).toBe(0);
    const recipe = recipeFile('stopped', server.url, loop);
    const stopped = await interruptedMetaapo(['run', recipe], /Iteration 2/, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    const resumed = await startedMetaapo(['run', recipe, '--resume'], env);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(lossesOf('stopped')).toEqual(lossesOf('whole'));
  });

  it('is fine-tuned, scored and asked, also as it was saved', async () => {
    const { url } = await served();
    const tuned = await startedMetaapo(
      ['sft', recipeFile('tuned', url, { data: { train: at('pairs.jsonl'), column: 'chosen', maxLength: 64 } })],
      env,
    );
    expect(tuned.status, tuned.stderr).toBe(0);
    const flag = (more: object = {}): string => JSON.stringify(model(url, more));
    const score = async (name: string, more: object = {}): Promise<number[]> => {
      const flags = [
        '--model',
        flag(more),
        '--data',
        at('held-out.jsonl'),
        '--output',
        at(name),
        '--loss',
        '{id: simpo}',
      ];
      const scored = await startedMetaapo(['score', ...flags], env);
      expect(scored.status, scored.stderr).toBe(0);
      return linesOf(at(name)).map((line) => (line.chosen as unknown as { sum: number }).sum);
    };
    const before = await score('before.jsonl');
    const after = await score('after.jsonl', { from: join(at('tuned'), 'model') });
    const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);
    expect(sum(after)).toBeGreaterThan(sum(before));
    const flags = [
      '--model',
      flag({ from: join(at('tuned'), 'model') }),
      '--data',
      at('held-out.jsonl'),
      '--output',
      at('said.jsonl'),
    ];
    const said = await startedMetaapo(['generate', ...flags, '--max-new-tokens', '8', '--n', '2'], env);
    expect(said.status, said.stderr).toBe(0);
    expect(linesOf(at('said.jsonl')).length).toBe(16);
  });

  it.each<[name: string, kind: SmallServerOptions['kind'], more: object, message: RegExp]>([
    [
      'clipping on SkyRL jax',
      'skyrl-jax',
      { training: { learningRate: 1 } },
      /cannot clip gradients.*maxGradNorm: false/s,
    ],
    [
      "another AdamW than SkyRL-Train's own",
      'skyrl-train',
      {},
      /--backend-config '\{"trainer.policy.optimizer_config.adam_betas":\[0.9,0.95\]/,
    ],
    ['entropies', 'skyrl-jax', { metaLearner: { id: 'mlp', features: ['score', 'entropy'] } }, /gives entropies/],
  ])('refuses %s before it trains', async (name, kind, more, message) => {
    const server = await served({ kind });
    const refused = await startedMetaapo(['train', recipeFile(`refused ${name}`, server.url, more)], env);
    expect(refused.status, refused.stderr).toBe(2);
    expect(refused.stderr).toMatch(message);
    expect(server.service.modelIds()).toEqual([]);
  });

  it('refuses a run whose reference has no room on the service', async () => {
    const server = await served({ maxModels: 1 });
    const refused = await startedMetaapo(['run', recipeFile('crowded', server.url, loop)], env);
    expect(refused.status, refused.stderr).toBe(2);
    expect(refused.stderr).toMatch(/holds one model at a time.*max_lora_adapters/s);
    expect(server.seen.filter(({ path }) => path === 'asample')).toEqual([]);
  });
});
