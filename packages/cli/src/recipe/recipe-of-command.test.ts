import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

it('without a directory the recipe is that of the command line', () => {
  expect(recipeOfCommand('dpo', { set: [], resume: true })).toMatchObject({ recipe: 'dpo', flags: { resume: true } });
  expect(() => recipeOfCommand('dpo', { set: [], resume: tmpdir() })).toThrow('there is no run to go on with');
});

it('without any recipe says what there is to name', () => {
  expect(() => recipeOfCommand(undefined, {})).toThrow(/a built-in recipe \(metaapo, .*metaapo init.*billion/);
  expect(() => recipeOfCommand(undefined, { resume: true })).toThrow('--resume runs/a');
});

it('says what was meant where there is no run to go on with', () => {
  const remedyOf = (resume: string): string => {
    try {
      recipeOfCommand(undefined, { resume });
    } catch (error) {
      return String((error as Error).message);
    }
    throw new Error('it was taken');
  };
  mkdirSync(join(run, 'model'));
  expect(remedyOf(join(run, 'model'))).toContain(`Did you mean --resume ${run}?`);
  expect(remedyOf(join(run, 'journal.jsonl'))).toContain(`Did you mean --resume ${run}?`);
  const runs = mkdtempSync(join(tmpdir(), 'metaapo-runs-'));
  mkdirSync(join(runs, 'first'));
  writeFileSync(join(runs, 'first', 'recipe.yaml'), '');
  expect(remedyOf(runs)).toContain(`Did you mean ${join(runs, 'first')}?`);
  expect(remedyOf(join(runs, 'frist'))).toContain(`Did you mean ${join(runs, 'first')}?`);
  expect(remedyOf(join(runs, 'another'))).toContain('got nothing. Give the output directory');
  expect(remedyOf(join(runs, 'frist'))).not.toContain('YAML');
  rmSync(runs, { recursive: true });
});
