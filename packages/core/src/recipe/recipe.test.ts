import { describe, expect, it } from 'vitest';
import { parseRewardRecipe, parseRunRecipe, parseSftRecipe, parseTrainingRecipe } from './index.js';

const training = { model: 'm', data: { train: 'x.jsonl' }, output: 'runs/x' };
const run = { ...training, rewardModel: { id: 'length' } };

describe('recipes', () => {
  it('fill in every default', () => {
    expect(parseTrainingRecipe(training, 'recipe.yaml')).toMatchObject({
      loss: { id: 'dpo' },
      training: { batchSize: 128, learningRate: 5e-7, schedule: 'constant', adamBetas: [0.9, 0.95] },
      data: { maxLength: 4096, truncate: 'response-tail' },
      executor: 'auto',
      precision: 'float32',
    });
    expect(parseRunRecipe(run, 'recipe.yaml')).toMatchObject({
      metaLearner: { id: 'mlp', updateEvery: 8 },
      iterations: 3,
      responsesPerPrompt: 8,
      selection: { id: 'meta' },
      referencePolicy: 'previous',
    });
    expect(parseRewardRecipe(training, 'recipe.yaml').loss).toEqual({ id: 'bradley-terry' });
    expect(parseSftRecipe(training, 'recipe.yaml')).toMatchObject({
      training: { batchSize: 128, learningRate: 2e-5 },
      data: { maxLength: 4096, turns: 'all' },
      trackers: [],
    });
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
    expect(() => parseTrainingRecipe({ ...training, precision: 'float16' }, 'r')).toThrow(/precision.*float16/);
    expect(() => parseTrainingRecipe({ data: training.data, output: 'x' }, 'r')).toThrow(/model/);
  });

  it('refuse settings that exclude each other', () => {
    const both = { ...training, adapter: 'a', lora: { rank: 8 } };
    expect(() => parseTrainingRecipe(both, 'r')).toThrow('not both');
    expect(() => parseSftRecipe(both, 'r')).toThrow('not both');
    const warmup = { ...training, training: { warmupSteps: 3, warmupRatio: 0.1 } };
    expect(() => parseTrainingRecipe(warmup, 'r')).toThrow('not both');
    expect(() => parseSftRecipe(warmup, 'r')).toThrow('not both');
    expect(() => parseRewardRecipe({ ...training, reference: 'm' }, 'r')).toThrow('reference');
    expect(() => parseRunRecipe({ ...run, evaluateRewards: 8 }, 'r')).toThrow(/evaluateRewards .*give data\.eval/);
    expect(parseRunRecipe({ ...run, data: { train: 'x', eval: 'y' }, evaluateRewards: 8 }, 'r').evaluateRewards).toBe(
      8,
    );
  });
});
