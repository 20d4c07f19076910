import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parsePartFlag } from './parse-part-flag.js';
import { parseTemplateArguments } from './parse-template-arguments.js';
import { readRecipe } from './read-recipe.js';
import { builtInRecipe } from './recipe-text.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-recipe-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const file = join(directory, 'recipe.yaml');
writeFileSync(file, 'model: m\ndata: { train: x.jsonl }\noutput: runs/x\n');

describe('a recipe with overrides', () => {
  it('takes values as YAML, makes sections, and removes keys', async () => {
    const { value } = await readRecipe(file, ['loss.beta=0.2', 'training.adamBetas=[0.9, 0.99]', 'output=']);
    expect(value).toEqual({
      model: 'm',
      data: { train: 'x.jsonl' },
      loss: { beta: 0.2 },
      training: { adamBetas: [0.9, 0.99] },
    });
  });

  it.each([
    ['output={a', /--set output: the value is no YAML/],
    ['model.x=3', /model holds one value and no keys/],
    ['data.train.x.y=3', /data\.train holds one value/],
    ['beta', /it sets no key/],
  ])('refuses --set %s with a remedy', async (override, message) => {
    await expect(readRecipe(file, [override])).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(message),
      fault: { remedy: expect.any(String), expected: expect.any(String), got: expect.any(String) },
    });
  });

  it('refuses whole numbers written as floats where a chat template prints them, and nowhere else', async () => {
    const printed = join(directory, 'printed.yaml');
    const written = (value: string): string => {
      writeFileSync(
        printed,
        `model: m\nbeta: 1.0\ndata: { train: x, templateArguments: { deep: [{ t: ${value} }] } }\n`,
      );
      return printed;
    };
    for (const value of ['1.0', '-2.0', '1e3', '1.']) {
      const refused = {
        code: 'config',
        message: expect.stringContaining(`data.templateArguments.deep.t: a whole number`),
      };
      await expect(readRecipe(written(value))).rejects.toMatchObject(refused);
      await expect(readRecipe(file, [`data.templateArguments.t=${value}`])).rejects.toThrow(
        /--set data\.templateArguments\.t.*a whole number/,
      );
      expect(() => parseTemplateArguments(`{t: ${value}}`)).toThrow('--template-arguments, data.templateArguments.t');
    }
    for (const value of ['1', '1.5', "'1.0'", '0x1E', 'true']) await readRecipe(written(value));
    expect((await readRecipe(file, ['training.learningRate=1e3'])).value).toMatchObject({
      training: { learningRate: 1000 },
    });
  });

  it('refuses a file that is one word', async () => {
    const word = join(directory, 'word.yaml');
    writeFileSync(word, 'dpo\n');
    await expect(readRecipe(word, ['a=1'])).rejects.toThrow('the recipe holds one value and no keys');
  });
});

it.each([
  ['an alias of nothing', 'loss: *a\n', /alias/],
  ['an alias of itself', 'loss: &a [*a]\n', /alias/],
  ['aliases of aliases', bomb(), /alias|too many/],
  ['a key of every object', 'loss: { __proto__: { beta: 9 } }\n', /__proto__/],
  ['a number without end', 'loss: { beta: .inf }\n', /finite/],
  ['a number that is none', 'loss: { beta: .nan }\n', /finite/],
  ['a date', 'loss: !!timestamp 2020-01-01\n', /plain|YAML|tag/i],
  ['levels upon levels', `a: ${'['.repeat(2000)}${']'.repeat(2000)}\n`, /./],
])('refuses a recipe with %s', async (_, text, message) => {
  writeFileSync(file, text);
  const reading = readRecipe(file);
  await expect(reading).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(message) });
});

/** Nine lists of nine aliases of the list before. */
function bomb(): string {
  const lists = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(9)}]\n`);
  return `a0: &a0 [1]\n${lists.join('')}`;
}

it.each([
  ['loss=*a', /alias/],
  ['loss=&a [*a]', /alias/],
  ['loss.beta=1e999', /finite/],
  ['loss.__proto__={beta: 9}', /__proto__/],
  ['__proto__.beta=9', /__proto__/],
])('refuses --set %s', async (override, message) => {
  await expect(readRecipe('dpo', [override])).rejects.toMatchObject({
    code: 'config',
    message: expect.stringMatching(message),
  });
});

it('takes away what is not there without a word, and knows no recipe by the name of a method', async () => {
  expect(await readRecipe('dpo', ['budget.share=', 'no.such.key='])).toMatchObject({ value: { loss: { id: 'dpo' } } });
  for (const name of ['constructor', 'toString', '__proto__']) {
    await expect(readRecipe(name)).rejects.toThrow('there is no such recipe');
    expect(() => builtInRecipe(name)).toThrow('no such built-in recipe');
  }
  await expect(readRecipe('/dev/zero')).rejects.toThrow('something else where a file should be');
});

it.each(['{id: dpo', '[1, 2]', '{beta: 1}', '7', 'null'])('refuses %s as a part', (text) => {
  expect(() => parsePartFlag('--loss', text)).toThrow(/^--loss: .*got/);
});

it('takes the splits and the held-out rows of a built-in recipe away with its data set, and nothing else', async () => {
  const { value, leftOut } = await readRecipe('dpo', ['data.train=mine.jsonl', 'data.evalSplit=test']);
  expect(leftOut).toEqual(['trainSplit', 'eval', 'evalSplit']);
  expect(value).toMatchObject({ data: { train: 'mine.jsonl', evalSplit: 'test', maxLength: 4096 } });
  expect(value).not.toHaveProperty('data.eval');
  expect((await readRecipe('dpo', ['data.maxRows=3'])).leftOut).toEqual([]);
  writeFileSync(file, 'data: { train: a, trainSplit: b, eval: c }\n');
  expect(await readRecipe(file, ['data.train=mine.jsonl'])).toMatchObject({
    value: { data: { train: 'mine.jsonl', trainSplit: 'b', eval: 'c' } },
    leftOut: [],
  });
});
