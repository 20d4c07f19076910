import { describe, expect, it } from 'vitest';
import { parseRewardRecipe, parseRunRecipe, parseSftRecipe, parseTrainingRecipe } from './index.js';

const training = { model: 'm', data: { train: 'x.jsonl' }, output: 'runs/x' };
const run = { ...training, rewardModel: { id: 'length' } };

describe('recipes', () => {
  it('fill in every default', () => {
    expect(parseTrainingRecipe(training, 'recipe.yaml')).toMatchObject({
      loss: { id: 'dpo' },
      training: {
        batchSize: 128,
        learningRate: 5e-7,
        schedule: 'constant',
        warmupRatio: 0.03,
        adamBetas: [0.9, 0.95],
      },
      data: { maxLength: 4096, truncate: 'response-tail' },
    });
    expect(parseTrainingRecipe(training, 'recipe.yaml').unselected).toBeUndefined();
    expect(parseTrainingRecipe({ ...training, metaLearner: {} }, 'recipe.yaml').unselected).toBe('drop');
    const cosine = { ...training, training: { schedule: 'cosine_with_min_lr' } };
    expect(parseTrainingRecipe(cosine, 'r').training).toMatchObject({ minLrRatio: 0.1, warmupRatio: 0.03 });
    const constant = { ...training, training: { warmupSteps: 0 } };
    expect(parseTrainingRecipe(constant, 'r').training).not.toHaveProperty('minLrRatio');
    expect(parseTrainingRecipe(constant, 'r').training).not.toHaveProperty('warmupRatio');
    expect(parseRunRecipe(run, 'recipe.yaml').recipe).toMatchObject({
      unselected: 'drop',
      metaLearner: { id: 'mlp', updateEvery: 8 },
      iterations: 3,
      responsesPerPrompt: 8,
      responsesFrom: 'policy',
      selection: { id: 'meta' },
      referencePolicy: 'previous',
    });
    expect(parseRewardRecipe(training, 'recipe.yaml').loss).toEqual({ id: 'bradley-terry' });
    expect(parseTrainingRecipe({ ...training, loss: { beta: 0.2 } }, 'r').loss).toEqual({ id: 'dpo', beta: 0.2 });
    expect(parseRunRecipe({ ...run, sampler: { topP: 0.9 } }, 'r').recipe.sampler).toEqual({ id: 'local', topP: 0.9 });
    expect(parseSftRecipe(training, 'recipe.yaml')).toMatchObject({
      training: { batchSize: 128, learningRate: 2e-5 },
      data: { maxLength: 4096, turns: 'all' },
      trackers: [],
    });
  });

  it('end the responses of pairs at the end of a turn, and those of a reward model as the template does', () => {
    expect(parseTrainingRecipe(training, 'r').data.responseEnd).toBe('end-of-turn');
    expect(parseRunRecipe(run, 'r').recipe.data).toHaveProperty('responseEnd', 'end-of-turn');
    expect(parseRewardRecipe(training, 'r').data.responseEnd).toBe('template-end');
    const other = { ...training, data: { ...training.data, responseEnd: 'template-end' } };
    expect(parseTrainingRecipe(other, 'r').data.responseEnd).toBe('template-end');
    expect(() => parseSftRecipe(other, 'r')).toThrow(/unknown key data\.responseEnd/);
  });

  it('name the file, the key and the nearest spelling', () => {
    const faulty = { ...training, training: { learningrate: 1 } };
    expect(() => parseTrainingRecipe(faulty, 'recipe.yaml')).toThrow(
      /recipe\.yaml.*training\.learningrate.*Did you mean learningRate\?/,
    );
    expect(() => parseRunRecipe({ ...run, budget: { shares: 0.5 } }, 'r')).toThrow(/shares/);
    const turns = { ...training, data: { train: 'x', turn: 'last' } };
    expect(() => parseSftRecipe(turns, 'r')).toThrow(/unknown key data\.turn\. Did you mean turns\?/);
    expect(() => parseSftRecipe({ ...training, loss: { id: 'dpo' } }, 'r')).toThrow(/unknown key loss/);
    expect(() => parseSftRecipe({ ...training, training: { learningrate: 1 } }, 'r')).toThrow(
      /Did you mean learningRate/,
    );
    expect(() => parseTrainingRecipe({ data: training.data, output: 'x' }, 'r')).toThrow(/model/);
  });

  it('refuse settings that exclude each other', () => {
    const warmup = { ...training, training: { warmupSteps: 3, warmupRatio: 0.1 } };
    expect(() => parseTrainingRecipe(warmup, 'r')).toThrow('not both');
    expect(() => parseSftRecipe(warmup, 'r')).toThrow('not both');
    expect(() => parseRewardRecipe({ ...training, reference: 'm' }, 'r')).toThrow('reference');
    expect(() => parseRunRecipe({ ...run, evaluateRewards: 8 }, 'r')).toThrow(/evaluateRewards.*without data\.eval/);
    expect(
      parseRunRecipe({ ...run, data: { train: 'x', eval: 'y' }, evaluateRewards: 8 }, 'r').recipe.evaluateRewards,
    ).toBe(8);
  });

  it.each([
    ['unselected', { unselected: 'drop' }, /unselected.*without metaLearner/],
    ['metaLearner.leftover', { metaLearner: { leftover: 'discard' } }, /metaLearner\.leftover.*one training/],
    [
      'metaLearner.weightFrom',
      { metaLearner: { weightFrom: 'logit', lossWeight: 0.5 } },
      /metaLearner\.weightFrom.*beside lossWeight/,
    ],
    ['data.evalSplit', { data: { train: 'x', evalSplit: 'test' } }, /data\.evalSplit.*without data\.eval/],
    ['training.evaluateEvery', { training: { evaluateEvery: 2 } }, /training\.evaluateEvery.*without data\.eval/],
  ])('refuse what would do nothing: %s', (_, change, message) => {
    expect(() => parseTrainingRecipe({ ...training, ...change }, 'r')).toThrow(message);
  });

  it('refuse held-out rewards without held-out rows, and fine-tuning and rewards alike', () => {
    expect(() => parseRunRecipe({ ...run, evaluateRewards: 4 }, 'r')).toThrow(/evaluateRewards.*without data\.eval/);
    const every = { ...training, training: { evaluateEvery: 2 } };
    expect(() => parseSftRecipe(every, 'r')).toThrow('without data.eval');
    expect(() => parseRewardRecipe(every, 'r')).toThrow('without data.eval');
  });

  it('move what stands beside a model into its section, and what the machine is into a local reference too', () => {
    const beside = {
      ...training,
      reference: 'r',
      precision: 'bfloat16',
      lora: { rank: 8 },
      revision: 'v1',
      training: { checkpoint: 'none' },
    };
    const parsed = parseTrainingRecipe(beside, 'r');
    expect(parsed.model).toEqual({
      id: 'local',
      path: 'm',
      precision: 'bfloat16',
      lora: { rank: 8 },
      checkpoint: 'none',
      revision: 'v1',
    });
    expect(parsed.reference).toEqual({ id: 'local', path: 'r', precision: 'bfloat16', revision: 'v1' });
    expect(parsed).not.toHaveProperty('precision');
    expect(parsed.training).not.toHaveProperty('checkpoint');
    expect(parseTrainingRecipe(JSON.parse(JSON.stringify(parsed)), 'r')).toEqual(parsed);
  });

  it('leave a model of another kind as it is, and refuse what is said twice', () => {
    const remote = { id: 'remote', url: 'http://127.0.0.1' };
    expect(parseRunRecipe({ ...run, model: remote, revision: 'v1' }, 'r').recipe.model).toEqual(remote);
    expect(parseRunRecipe({ ...run, model: remote, precision: 'bfloat16' }, 'r').recipe.model).toHaveProperty(
      'precision',
    );
    const twice = { ...training, model: { id: 'local', path: 'm', precision: 'float32' }, precision: 'bfloat16' };
    expect(() => parseTrainingRecipe(twice, 'r')).toThrow(/precision.*model\.precision says something else/);
  });

  it('say what a run trains: preferences, or another objective without their settings', () => {
    expect(parseRunRecipe(run, 'r').objective).toMatchObject({
      id: 'preference',
      loss: { id: 'dpo' },
      metaLearner: { id: 'mlp' },
      unselected: 'drop',
    });
    const inside = parseRunRecipe({ ...run, objective: { id: 'preference', loss: { id: 'simpo' } } }, 'r');
    expect(inside.objective).toMatchObject({ loss: { id: 'simpo' } });
    const other = parseRunRecipe({ ...run, objective: { id: 'group-relative', beta: 0.1 } }, 'r');
    expect(other.objective).toEqual({ id: 'group-relative', beta: 0.1 });
    expect(other.recipe.selection).toEqual({ id: 'all' });
    expect(other.recipe).not.toHaveProperty('loss');
    for (const key of ['loss', 'metaLearner', 'unselected', 'pairs']) {
      const beside = {
        ...run,
        objective: { id: 'group-relative' },
        [key]: key === 'unselected' ? 'drop' : { id: 'x' },
      };
      expect(() => parseRunRecipe(beside, 'r'), key).toThrow(`unknown key ${key}`);
    }
  });
});

describe('numbers of a recipe', () => {
  const refused: readonly (readonly [string, unknown])[] = [
    ['iterations', 1e9],
    ['responsesPerPrompt', 1e6],
    ['cachedTokens', 1e12],
    ['promptsPerIteration', 1e15],
    ['training.batchSize', 1e15],
    ['training.epochs', 1e9],
    ['training.microBatchTokens', 1e15],
    ['training.learningRate', 1e300],
    ['training.learningRate', Number.POSITIVE_INFINITY],
    ['training.learningRate', Number.NaN],
    ['training.warmupSteps', 1e15],
    ['training.adamEpsilon', 1e-300],
    ['training.adamBetas.0', 1],
    ['training.weightDecay', 1e300],
    ['training.maxGradNorm', 1e300],
    ['data.maxLength', 1e12],
    ['data.maxRows', 1e15],
  ];

  it.each(refused)('have bounds: %s is not %d', (path, value) => {
    const [section, key, index] = path.split('.');
    const inner = index === undefined ? value : [value, 0.9];
    const given = key === undefined ? { [section!]: value } : { [section!]: { train: 'x.jsonl', [key]: inner } };
    const { train: _, ...settings } = { ...(given[section!] as object) } as { train?: string };
    const recipe = section === 'training' ? { ...run, training: settings } : { ...run, ...given };
    expect(() => parseRunRecipe(recipe, 'recipe.yaml')).toThrow(
      new RegExp(`${path.replaceAll('.', '\\.')} is not accepted.* got .*${value}`.replaceAll('+', '\\+')),
    );
  });

  it('have bounds in fine-tuning, too', () => {
    const recipe = { ...training, training: { learningRate: 1e300 } };
    expect(() => parseSftRecipe(recipe, 'r')).toThrow(/training\.learningRate is not accepted/);
  });
});
