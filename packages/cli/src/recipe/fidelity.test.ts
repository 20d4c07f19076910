import { readFileSync } from 'node:fs';
import { parseRunRecipe } from '@metaapo/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { composeLoop } from '../run/compose-loop.js';
import { openObjective } from '../training/open-objective.js';
import { checkedTraining } from './checked-recipe.js';
import { readRecipe } from './read-recipe.js';

const page = readFileSync(new URL('../../../../docs/fidelity.md', import.meta.url), 'utf8');

/** Rows of the table whose last columns are a switch and its two values. */
const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 8 && /^`[\w.]+`$/.test(cells[4]!))
  .map(([, what, reference, ours, key, ofReference, ofOurs]) => ({
    what: what!,
    reference: reference!,
    ours: ours!,
    key: inside(key!),
    ofReference: inside(ofReference!),
    ofOurs: inside(ofOurs!),
  }));

/** What stands between a cell's backticks. */
function inside(cell: string): string {
  const [, text] = /^`(.+)`$/.exec(cell) ?? [];
  if (text === undefined) throw new Error(`no value in backticks: ${cell}`);
  return text;
}

async function loop(name: string, ...set: readonly string[]) {
  const { where, value } = await readRecipe(name, set);
  return composeLoop(parseRunRecipe(value, where));
}

/** What a key of a recipe says, with the defaults of recipes and of the parts that can be made without a model. */
async function valueIn({ recipe, composition, objective }: Awaited<ReturnType<typeof loop>>, key: string) {
  const pairs = await composition.make('pairs');
  const all: unknown = { ...recipe, ...objective.options, pairs: pairs?.options };
  return key
    .split('.')
    .reduce<unknown>((at, name) => (at as Readonly<Record<string, unknown>> | undefined)?.[name], all);
}

const written = (text: string): unknown => (text === 'unset' ? undefined : parse(text));

describe('the table of docs/fidelity.md', () => {
  let recipes: Readonly<Record<'reference' | 'ours', Awaited<ReturnType<typeof loop>>>>;
  beforeAll(async () => {
    recipes = { reference: await loop('metaapo-reference'), ours: await loop('metaapo') };
  });

  it('has every difference that the recipes have, and says of each what is done and why', async () => {
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      for (const text of [row.what, row.reference, row.ours]) expect(text, row.key).not.toBe('');
    }
    const [reference, ours] = [await readRecipe('metaapo-reference', []), await readRecipe('metaapo', [])];
    const differing = differences(reference.value, ours.value).filter((key) => key !== 'output');
    expect(rows.map(({ key }) => key)).toEqual(expect.arrayContaining(differing));
  });

  it.each(rows)('is what the recipes say: $key', async ({ key, ofReference, ofOurs }) => {
    expect(await valueIn(recipes.reference, key)).toEqual(written(ofReference));
    expect(await valueIn(recipes.ours, key)).toEqual(written(ofOurs));
  });

  it.each(rows)('names a key that can be set alone, in either recipe: $key', async ({ key, ofReference, ofOurs }) => {
    const one = await loop('metaapo', `${key}=${ofReference}`);
    expect(await valueIn(one, key)).toEqual(written(ofReference));
    const other = await loop('metaapo-reference', `${key}=${ofOurs === 'unset' ? '' : ofOurs}`);
    expect(await valueIn(other, key)).toEqual(written(ofOurs));
    // A key that nothing knows is refused: were the switch one of those, the lines above could not pass.
    if (!key.startsWith('rewardModel.')) await expect(loop('metaapo', `${key}x=${ofReference}`)).rejects.toThrow(/x/);
  });

  it('gives commands that are recipes', async () => {
    const commands = [...page.matchAll(/^metaapo (run|train) (\S+) (.+)$/gm)];
    expect(commands.map(([, command, name]) => `${command} ${name}`)).toEqual([
      'run metaapo-reference',
      'run metaapo-reference',
      'train dpo',
    ]);
    for (const [, command, name, flags] of commands) {
      const set = [...flags!.matchAll(/--set (?:'([^']+)'|(\S+))/g)].map(([, quoted, plain]) => quoted ?? plain!);
      if (command === 'run') await loop(name!, ...set);
      else await openObjective(await checkedTraining({ name: name!, set, objective: 'preference' }), {});
    }
  });
});

/** Paths at which two recipes say different things. */
function differences(a: unknown, b: unknown, path = ''): string[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(a) || !isMap(b)) return [path];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].flatMap((name) => differences(a[name], b[name], path === '' ? name : `${path}.${name}`));
}
