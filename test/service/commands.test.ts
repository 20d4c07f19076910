import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writePreferences } from '../../examples/quickstart/write-preferences.js';
import { type CommandResult, root, startedMetaapo, temporaryDirectory } from '../support/metaapo.js';
import { type ServedModel, serveRandomModel } from './service-model.js';
import { servicePython, startTrainingServer } from './training-server.js';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);
const env = { METAAPO_HOME: at('home') };
const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe.skipIf(servicePython === undefined)('metaapo with a policy on a real server', () => {
  let served: ServedModel;
  let model: object;
  const begun = performance.now();
  beforeAll(async () => {
    served = await serveRandomModel(directory);
    model = { id: 'tinker', url: served.server.url, base: served.base, rank: 8 };
    await writePreferences(at('train.jsonl'), 40, 1);
    await writePreferences(at('rows.jsonl'), 8, 2);
    return () => served.server.kill();
  });

  const settings = { batchSize: 8, learningRate: 1e-3, schedule: 'constant', weightDecay: 0, maxGradNorm: false };
  const offline = () => ({
    model,
    loss: { id: 'dpo', beta: 0.1 },
    data: { train: at('train.jsonl'), maxLength: 128 },
    training: settings,
  });
  const loop = () => ({
    ...offline(),
    data: { train: at('rows.jsonl'), maxLength: 128 },
    metaLearner: { id: 'mlp', updateEvery: 1 },
    iterations: 2,
    promptsPerIteration: 4,
    responsesPerPrompt: 4,
    selection: { id: 'all' },
    sampler: { id: 'local', maxNewTokens: 12 },
    rewardModel: { id: 'function', path: join(root, 'test/service/letters.mjs') },
    training: { ...settings, batchSize: 4 },
  });
  const metaapo = (command: string, recipe: object, output: string, ...more: string[]): Promise<CommandResult> => {
    writeFileSync(at(`${output}.json`), JSON.stringify({ ...recipe, output: at(output) }));
    return startedMetaapo([command, at(`${output}.json`), ...more], env);
  };

  it('trains five steps by DPO, and leaves an adapter that this machine scores with', async () => {
    const { status, stderr } = await metaapo('train', offline(), 'trained');
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('computes like skyrl-jax');
    const steps = linesOf(at('trained/metrics.jsonl')).filter((line) => 'loss' in line);
    expect(steps).toHaveLength(5);
    const { target_modules: targets } = JSON.parse(readFileSync(at('trained/model/adapter_config.json'), 'utf8'));
    expect(targets).toEqual(expect.arrayContaining(['q_proj', 'down_proj']));
    const args = ['--data', at('train.jsonl'), '--output', at('scores.jsonl'), '--reference', served.base];
    const scored = await startedMetaapo(['score', '--model', at('trained/model'), ...args], env);
    expect(scored.status, scored.stderr).toBe(0);
    const scores = linesOf(at('scores.jsonl')).map(({ score }) => score as number);
    expect(scores.filter((score) => score > 0).length).toBeGreaterThan(30);
  });

  it('runs two iterations of four rows with four responses each', async () => {
    const { status, stderr } = await metaapo('run', loop(), 'run');
    expect(status, stderr).toBe(0);
    const journal = linesOf(at('run/journal.jsonl'));
    const responses = journal.filter(({ kind }) => kind === 'responses').map(({ responses: all }) => all as unknown[]);
    expect(responses.map(({ length }) => length)).toEqual(Array(8).fill(4));
    const summaries = journal.filter(({ kind }) => kind === 'iteration').map(({ summary }) => summary);
    expect(summaries).toMatchObject([
      { rows: 4, selected: 4, steps: 1 },
      { rows: 4, selected: 4, steps: 1 },
    ]);
    expect(existsSync(at('run/model/adapter_model.safetensors'))).toBe(true);
  });

  it('has taken ten minutes at most, though nothing was compiled before', () => {
    expect((performance.now() - begun) / 1000).toBeLessThan(600);
  });

  it.each([
    ['clipping', () => ({ ...offline(), training: { ...settings, maxGradNorm: 1 } }), 'train', /cannot clip gradients/],
    [
      'entropies',
      () => ({ ...loop(), metaLearner: { id: 'mlp', features: ['score', 'entropy'] } }),
      'run',
      /entropies/,
    ],
    ['responses of older weights', () => ({ ...offline(), model: { ...model, staleness: 1 } }), 'train', /staleness/],
    [
      'another base',
      () => ({ ...offline(), model: { ...model, base: 'Qwen/Other', text: served.base } }),
      'train',
      /does not have this model/,
    ],
  ] as const)('refuses, before anything is paid for: %s', async (name, recipe, command, reason) => {
    const output = `refused-${name.replaceAll(' ', '-')}`;
    const { status, stderr } = await metaapo(command, recipe(), output);
    expect(status, stderr).toBe(2);
    expect(stderr.trim().split('\n').at(-1)).toMatch(reason);
    const journal = at(`${output}/journal.jsonl`);
    const paid = existsSync(journal) ? linesOf(journal).filter(({ kind }) => kind === 'responses') : [];
    expect(paid).toEqual([]);
  });

  it('refuses a run whose reference has no room on the server', async () => {
    const own = { model: served.base, directory: at('small'), python: servicePython! };
    const small = await startTrainingServer({ ...own, adapters: 1 });
    onTestFinished(() => small.kill());
    const recipe = { ...loop(), model: { ...model, url: small.url } };
    const { status, stderr } = await metaapo('run', recipe, 'refused-reference');
    expect(status, stderr).toBe(2);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/holds one model at a time.*max_lora_adapters/);
    expect(existsSync(at('refused-reference'))).toBe(false);
  });
});
