import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { recipeOfCommand } from './recipe-of-command.js';

const run = mkdtempSync(join(tmpdir(), 'metaapo-resume-'));
const stored = join(run, 'recipe.yaml');
writeFileSync(stored, 'output: elsewhere\n');
afterAll(() => rmSync(run, { recursive: true }));

it('a directory to resume gives the recipe of its run, which stays there', () => {
  const { recipe, flags } = recipeOfCommand(undefined, { set: ['a=1'], resume: run });
  expect(recipe).toBe(stored);
  expect(flags).toEqual({ set: ['a=1', `output="${run}"`], resume: true });
});

it('a recipe beside the directory is taken', () => {
  expect(recipeOfCommand('dpo', { set: [], resume: run })).toMatchObject({ recipe: 'dpo', flags: { resume: true } });
});

it('a recipe behind the flag is a recipe', () => {
  expect(recipeOfCommand(undefined, { set: [], resume: stored })).toEqual({
    recipe: stored,
    flags: { set: [], resume: true },
  });
});

it('without a directory the recipe is that of the command line, or the default', () => {
  expect(recipeOfCommand('dpo', { set: [], resume: true })).toMatchObject({ recipe: 'dpo', flags: { resume: true } });
  expect(recipeOfCommand(undefined, { set: [] }, 'metaapo')).toMatchObject({
    recipe: 'metaapo',
    flags: { resume: false },
  });
  expect(() => recipeOfCommand(undefined, { set: [] })).toThrow('no recipe is named');
  expect(() => recipeOfCommand('dpo', { set: [], resume: tmpdir() })).toThrow('there is no run to go on with');
});
