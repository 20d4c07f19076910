import { describe, expect, it } from 'vitest';
import { parseObjectiveRecipe } from './index.js';

const training = { model: 'm', data: { train: 'x.jsonl' }, output: 'runs/x' };
const parsed = (more: object, fallback?: string) => parseObjectiveRecipe({ ...training, ...more }, 'r', fallback);

describe('the objective of a recipe', () => {
  it('is that of the command where the recipe names none, with its defaults', () => {
    expect(parsed({}).objective).toEqual({ id: 'preference', loss: { id: 'dpo' } });
    expect(parsed({}, 'reward').objective).toEqual({ id: 'reward', loss: { id: 'bradley-terry' } });
    expect(parsed({}, 'sft')).toMatchObject({
      objective: { id: 'sft' },
      recipe: { training: { learningRate: 2e-5 }, data: { turns: 'all' } },
    });
    expect(parsed({ metaLearner: { updateEvery: 2 } }).objective).toEqual({
      id: 'preference',
      loss: { id: 'dpo' },
      metaLearner: { id: 'mlp', updateEvery: 2 },
      unselected: 'drop',
    });
  });

  it('is named by the recipe whatever the command, and kept with it', () => {
    for (const id of ['preference', 'reward', 'sft']) {
      expect(parsed({ objective: { id } }, 'sft').recipe).toMatchObject({ objective: { id } });
      expect(parsed({ objective: { id } }, 'sft').objective.id).toBe(id);
    }
    const kto = parsed({ objective: { id: 'kto', beta: 0.3 }, reference: 'r', data: { train: 'x', pairs: 'split' } });
    expect(kto.objective).toEqual({ id: 'kto', beta: 0.3 });
    expect(kto.recipe).toMatchObject({ data: { pairs: 'split' }, reference: { id: 'local', path: 'r' } });
  });

  it('takes options of preferences inside of it or at the top, and not in both places', () => {
    const loss = { id: 'ipo', beta: 0.2 };
    const inside = parsed({ objective: { id: 'preference', loss } });
    expect(inside).toEqual(parsed({ loss }));
    expect(() => parsed({ loss, objective: { id: 'preference', loss } })).toThrow(/loss is given twice/);
    expect(() => parsed({ objective: { id: 'preference', los: loss } })).toThrow(/unknown key objective\.los/);
  });

  it('leaves no key that its recipe does not know', () => {
    expect(() => parsed({ objective: { id: 'sft' }, loss: { id: 'dpo' } })).toThrow(/unknown key loss/);
    expect(() => parsed({ objective: { id: 'kto' }, loss: { id: 'dpo' } })).toThrow(/unknown key loss/);
    expect(() => parsed({ objective: { id: 'kto' }, data: { train: 'x', pair: 'split' } })).toThrow(
      /unknown key data\.pair. Did you mean pairs\?/,
    );
  });
});
