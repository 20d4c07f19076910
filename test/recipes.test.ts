import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { BUILT_IN_RECIPES } from '../packages/cli/src/recipe/built-in-recipes.js';
import { metaapo, quickstartModel, root, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const env = { METAAPO_HOME: join(directory, 'home') };
const output = (name: string): string => join(directory, name);

/** A model and pairs that the built-in recipes are run with, and what their three iterations select and train. */
interface Subject {
  readonly title: string;
  readonly model: string;
  /** Pairs; nothing where they are written by the test. */
  readonly train?: string | undefined;
  readonly maxLength: number;
  /** Selected rows and steps of each iteration, by recipe, where they are known. */
  readonly expected?: Readonly<Record<string, readonly (readonly [selected: number, steps: number])[]>>;
}

const shared = process.env.METAAPO_SHARED ?? join(root, '..', 'shared');

const SUBJECTS: readonly Subject[] = [
  {
    title: 'the small model of the project',
    model: quickstartModel,
    maxLength: 64,
  },
  {
    title: 'a trained model and real pairs',
    model: join(shared, 'models', 'tiny-qwen2'),
    train: join(shared, 'data', 'train_prefs.parquet'),
    maxLength: 256,
    expected: {
      metaapo: [
        [6, 2],
        [6, 2],
        [4, 1],
      ],
      'metaapo-reference': [
        [6, 1],
        [6, 1],
        [4, 1],
      ],
      'metaapo-simpo': [
        [8, 2],
        [8, 2],
        [7, 2],
      ],
      'metaapo-qwen': [
        [6, 2],
        [6, 2],
        [4, 1],
      ],
    },
  },
];

/** A few short rows in small batches, in float32, which every backend computes. */
const SMALL = { 'data.maxRows': 24, 'training.batchSize': 4, precision: 'float32' };

const LOOP = { 'sampler.maxNewTokens': 6, promptsPerIteration: 8, responsesPerPrompt: 2 };

function run(command: string, recipe: string, settings: Readonly<Record<string, unknown>>): void {
  const sets = Object.entries(settings).map(([key, value]) =>
    value === undefined ? `${key}=` : `${key}=${JSON.stringify(value)}`,
  );
  const result = metaapo([command, recipe, ...sets.flatMap((set) => ['--set', set])], env);
  expect(result.status, result.stderr).toBe(0);
}

const summariesOf = (place: string): { rows: number; selected: number; steps: number }[] =>
  readFileSync(join(place, 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === 'iteration')
    .map(({ summary: { rows, selected, steps } }) => ({ rows, selected, steps }));

for (const { title, model, train, maxLength, expected } of SUBJECTS) {
  const missing = [model, train].find((path) => path !== undefined && !existsSync(path));
  if (missing !== undefined) console.info(`skipped: built-in recipes with ${title}: ${missing} is absent`);

  describe.skipIf(missing !== undefined)(`the built-in recipes with ${title}`, () => {
    const pairs = train ?? output('pairs.jsonl');
    const at = (name: string): string => output(`${maxLength}-${name}`);
    const small = { ...SMALL, model, 'data.train': pairs, 'data.maxLength': maxLength };

    beforeAll(async () => {
      if (train === undefined) await writePreferences(pairs, 24, 1);
      const recipe = { model, data: { train: pairs, maxLength, maxRows: 16, longPrompt: 'drop' } };
      const training = { batchSize: 8, learningRate: 1e-4 };
      writeFileSync(at('reward.json'), JSON.stringify({ ...recipe, training, output: at('reward') }));
      run('train-reward', at('reward.json'), {});
    });

    const whole = Object.entries(BUILT_IN_RECIPES).filter(([, text]) => text.includes('rewardModel:'));
    it.each(whole)('%s runs three iterations', (name, text) => {
      const reference = /^reference:/m.test(text) ? { reference: model } : {};
      const reward = { 'rewardModel.model': join(at('reward'), 'model') };
      run('run', name, { ...small, ...LOOP, ...reference, ...reward, output: at(name) });
      const summaries = summariesOf(at(name));
      expect(summaries.map(({ rows }) => rows)).toEqual([8, 8, 8]);
      expect(Math.min(...summaries.map(({ steps }) => steps))).toBeGreaterThan(0);
      const known = expected?.[name];
      if (known !== undefined) expect(summaries.map(({ selected, steps }) => [selected, steps])).toEqual(known);
      expect(existsSync(join(at(name), 'model', 'model.safetensors'))).toBe(true);
    });

    it('dpo trains', () => {
      run('train', 'dpo', { ...small, output: at('dpo') });
      const lines = readFileSync(join(at('dpo'), 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n');
      expect(lines.map((line) => JSON.parse(line).step)).toEqual([1, 2, 3, 4, 5, 6]);
      // Policy and reference are the same model at first.
      expect(JSON.parse(lines[0]!).loss).toBeCloseTo(Math.log(2), 6);
    });
  });
}

describe('the recipes of the ablation', () => {
  const NAMES = ['offline-dpo', 'online-dpo', 'random-share', 'uniform-weight', 'no-meta-weight'];
  it.each(NAMES)('%s is a recipe of the same loop', (name) => {
    const file = (path: string): string[] =>
      readFileSync(join(root, 'examples/ablation', path), 'utf8')
        .trim()
        .split('\n')
        .slice(1);
    const keyOf = (line: string): string => line.split(':')[0]!;
    const other = file(`recipes/${name}.yaml`).filter((line) => !file('recipe.yaml').includes(line));
    expect(
      other.map(keyOf).filter((key) => !['metaLearner', 'selection', 'unselected', 'output'].includes(key)),
    ).toEqual([]);
  });

  it.each(['uniform-weight', 'no-meta-weight'])('%s runs', (name) => {
    const small = {
      model: 'fixtures/quickstart/model',
      'data.train': output('sorting.jsonl'),
      reference: undefined,
      'training.batchSize': 4,
      iterations: 1,
    };
    writeFileSync(output('sorting.jsonl'), SORTING);
    run('run', join(root, 'examples/ablation/recipes', `${name}.yaml`), { ...small, output: output(name) });
    expect(summariesOf(output(name))).toHaveLength(1);
  });
});

const SORTING = Array.from({ length: 8 }, (_, row) =>
  JSON.stringify({
    prompt: [{ role: 'user', content: `sort ${9 - row} ${row} 5` }],
    chosen: [{ role: 'assistant', content: [row, 5, 9 - row].sort().join(' ') }],
    rejected: [{ role: 'assistant', content: '5 5' }],
  }),
).join('\n');
