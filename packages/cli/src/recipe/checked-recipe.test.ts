import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkedRecipe, checkedTraining } from './checked-recipe.js';

const before = process.cwd();
const directory = mkdtempSync(join(tmpdir(), 'metaapo-checked-'));

/** Models, data, recipes and a run, as they lie in the directory of a user. */
const FILES = {
  'models/policy/config.json': '{}',
  'data/train.jsonl': '',
  'data/test.jsonl': '',
  'score.mjs': '',
  'recipe.yaml': 'model: models/policy\ndata: { train: data/train.jsonl }\noutput: runs/b\n',
  'whole.yaml':
    'model: models/policy\ndata: { train: data/train.jsonl }\nrewardModel: { id: function, path: score.mjs }\noutput: runs/b\n',
  'runs/a/recipe.yaml':
    'model: models/policy\ndata: { train: data/train.jsonl }\nrewardModel: { id: function, path: score.mjs }\noutput: runs/a\n',
  'runs/a/journal.jsonl': '',
  'runs/a/model/config.json': '{}',
};

beforeAll(() => {
  for (const [file, text] of Object.entries(FILES)) {
    mkdirSync(join(directory, file, '..'), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  process.chdir(directory);
});
afterAll(() => {
  process.chdir(before);
  rmSync(directory, { recursive: true });
});

const training = (name: string, ...set: string[]) => checkedTraining({ name, set, objective: 'preference' });
const any = (name: string, ...set: string[]) => checkedRecipe({ name, set, objective: 'preference' });

describe('the word that was meant', () => {
  it.each([
    ['metaapo-smpo', 'Did you mean metaapo-simpo?'],
    ['recipe.yml', 'Did you mean recipe.yaml?'],
    ['rcipe.yaml', 'Did you mean recipe.yaml?'],
    ['nothing-like-it', 'Check the path, or write a recipe with `metaapo init`'],
    ['runs/a', 'the directory of a run. Go on with it with --resume runs/a'],
    ['models/policy', 'a model. Name it in a recipe, or with --set model=models/policy'],
    ['.', 'Did you mean recipe.yaml?'],
    ['data', 'got a directory. Give a file'],
    ['data/train.jsonl', '--set data.train=data/train.jsonl'],
  ])('a recipe %s', async (name, words) => {
    await expect(any(name)).rejects.toThrow(words);
  });

  it.each([
    ['model=models/polcy', 'Did you mean models/policy? One of the hub is models/polcy@main'],
    ['model=./modles/policy', 'Did you mean models/policy?'],
    ['model=runs/a', "The run's model is runs/a/model"],
    ['model=~/policy', 'nothing takes the place of ~ here'],
    ['model=/nothing/at/all', '/nothing/at/all: there is no such model directory'],
    ['model={id: local, path: ./nothing}', './nothing: there is no such model directory'],
    ['adapter=./nothing', './nothing: there is no such model directory'],
    ['data.train=data/trian.jsonl', 'Did you mean data/train.jsonl?'],
    ['data.eval=[data/test.jsonl, data/tset.jsonl]', 'Did you mean data/test.jsonl?'],
    ['data.train=train.jsonl', 'train.jsonl: there is no such file'],
    ['plugins=[./plugn.js]', './plugn.js: there is no such file'],
  ])('%s', async (set, words) => {
    await expect(training('recipe.yaml', set)).rejects.toThrow(words);
  });

  it('of a file that a part reads', async () => {
    await expect(any('whole.yaml', 'rewardModel.path=scor.mjs')).rejects.toThrow('Did you mean score.mjs?');
    const member = '{rewardModel: {id: function, path: scor.mjs}, weight: 1}';
    await expect(any('whole.yaml', `rewardModel={id: ensemble, members: [${member}]}`)).rejects.toThrow('score.mjs');
  });
});

it.each([
  'model=owner/name',
  'model=models/policy@main',
  'model=models/polcy@main',
  'model=policies',
  'model=owner/name@refs/pr/1',
  'data.train=owner/data',
  'data.train=imdb',
  'model={id: another, path: /served/elsewhere}',
])('passes over a name that may be one of the hub, or of another machine: %s', async (set) => {
  expect(await training('recipe.yaml', set)).toMatchObject({ where: 'recipe.yaml' });
});

it('takes a part as its id alone', async () => {
  expect(await training('recipe.yaml', 'loss=simpo')).toMatchObject({ objective: { loss: { id: 'simpo' } } });
  expect(await any('whole.yaml', 'selection=random', 'sampler=openai', 'objective=preference')).toMatchObject({
    recipe: { selection: { id: 'random' }, sampler: { id: 'openai' } },
  });
  expect(await training('recipe.yaml', 'objective=reward', 'trackers=[tensorboard]')).toMatchObject({
    recipe: { trackers: [{ id: 'tensorboard' }] },
    objective: { id: 'reward' },
  });
  await expect(training('recipe.yaml', 'objective=kot', 'loss=3')).rejects.toThrow();
});

it('says which command a recipe of a whole run is for, and how its run goes on', async () => {
  await expect(training('metaapo')).rejects.toThrow(/metaapo run metaapo/);
  await expect(training('runs/a/recipe.yaml')).rejects.toThrow('`metaapo run --resume runs/a`');
  expect(await training('dpo')).toMatchObject({ objective: { loss: { id: 'dpo' } } });
});
