import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { metaapo, quickstartModel, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const path = (name: string): string => join(directory, name);
const env = { METAAPO_HOME: path('home'), METAAPO_BACKEND: 'wasm' };
const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  await writePreferences(path('train.jsonl'), 40, 1);
  const args = ['score', '--model', quickstartModel, '--data', path('train.jsonl'), '--output', path('scores.jsonl')];
  const scored = metaapo(args, env);
  expect(scored.status, scored.stderr).toBe(0);
});

const select = (...args: string[]) => metaapo(['select', '--scores', path('scores.jsonl'), ...args], env);

it('selects as the stage of a run does, in input order, the same each time', () => {
  const first = select('--output', path('first.jsonl'), '--seed', '3');
  expect(first.status, first.stderr).toBe(0);
  expect(first.stdout).toMatch(/^\d+ of 40 rows selected/);
  expect(select('--output', path('second.jsonl'), '--seed', '3').status).toBe(0);
  const lines = linesOf(path('first.jsonl'));
  expect(lines).toEqual(linesOf(path('second.jsonl')));
  expect(lines.map(({ row }) => row)).toEqual(Array.from({ length: 40 }, (_, row) => row));
  const selected = lines.filter((line) => line.selected === true).length;
  expect(selected).toBeGreaterThan(5);
  expect(selected).toBeLessThan(35);
});

it('keeps to a limit and takes rules and meta-learners with their options', () => {
  const rule = ['--selection', '{id: budget, share: 0.5}', '--meta-learner', '{id: constant, weight: 0.25}'];
  const result = select('--output', path('limited.jsonl'), '--limit', '7', ...rule);
  expect(result.status, result.stderr).toBe(0);
  const lines = linesOf(path('limited.jsonl'));
  expect(lines.filter(({ selected }) => selected)).toHaveLength(7);
  expect(new Set(lines.map(({ weight }) => weight))).toEqual(new Set([0.25]));
});

it('weighs by entropies where they were scored', () => {
  const scored = path('entropies.jsonl');
  const args = ['score', '--model', quickstartModel, '--data', path('train.jsonl'), '--output', scored, '--entropy'];
  expect(metaapo(args, env).status).toBe(0);
  // Of a vocabulary of some hundred tokens.
  for (const { chosen, rejected } of linesOf(scored) as Record<string, { entropy: number }>[]) {
    for (const { entropy } of [chosen!, rejected!]) {
      expect(entropy).toBeGreaterThan(0);
      expect(entropy).toBeLessThan(Math.log(2000));
    }
  }
  const learner = ['--meta-learner', '{id: mlp, features: [score, entropy]}'];
  const result = metaapo(['select', '--scores', scored, '--output', path('weighed.jsonl'), ...learner], env);
  expect(result.status, result.stderr).toBe(0);
  expect(new Set(linesOf(path('weighed.jsonl')).map(({ weight }) => weight)).size).toBeGreaterThan(30);
  const without = select('--output', path('none.jsonl'), ...learner);
  expect(without.status).toBe(2);
  expect(without.stderr).toContain('metaapo score --entropy');
});

it('says what is wrong with a line, a part and a number, and writes nothing', () => {
  writeFileSync(path('broken.jsonl'), '{"row":0,"score":"high"}\n');
  const args = ['select', '--scores', path('broken.jsonl'), '--output', path('none.jsonl')];
  const broken = metaapo(args, env);
  expect(broken.status).toBe(2);
  expect(broken.stderr).toMatch(/broken\.jsonl, row 0: score: .*metaapo score/s);
  const unknown = select('--output', path('none.jsonl'), '--selection', 'mata');
  expect(unknown.status).toBe(2);
  expect(unknown.stderr).toContain('Did you mean meta?');
  expect(select('--output', path('none.jsonl'), '--limit', 'many').status).toBe(2);
  expect(() => readFileSync(path('none.jsonl'))).toThrow();
});
