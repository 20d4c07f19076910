import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  CONTRACT,
  definePart,
  definePlugin,
  LOSS,
  type PartContext,
  type PreferenceLoss,
  REWARD_MODEL,
  SAMPLER,
  type Slot,
  TRACKER,
  type Tracker,
} from '../contracts/index.js';
import { composeRecipe, composeRun } from './index.js';

const loss = (id: string, options: Readonly<Record<string, unknown>>): PreferenceLoss => ({
  id,
  options,
  aggregation: 'sum',
  isReferenceFree: true,
  compute: () => {
    throw new Error('not computed here');
  },
});
const options = z.strictObject({ beta: z.number().positive().default(0.1) });
const part = (id: string) =>
  definePart({ slot: LOSS, id, summary: 'A loss.', options, create: (checked) => loss(id, checked) });
const plugin = (name: string, ...ids: string[]) => definePlugin({ name, contract: CONTRACT, parts: ids.map(part) });

describe('composing a run', () => {
  it('makes the named part with its checked options, defaults filled in', async () => {
    const parts = await composeRun({ plugins: [plugin('one', 'first', 'second')], recipe: { loss: { id: 'second' } } });
    expect(parts.loss).toMatchObject({ id: 'second', options: { beta: 0.1 } });
    expect(Object.keys(parts)).toEqual(['loss', 'dispose']);
  });

  it('names the nearest id, key and value that a part would take', async () => {
    const plugins = [plugin('one', 'first')];
    const failure = (recipe: { id: string; [key: string]: unknown }) =>
      composeRun({ plugins, recipe: { loss: recipe } });
    await expect(failure({ id: 'frist' })).rejects.toThrow(/Did you mean first\?/);
    await expect(failure({ id: 'first', betta: 1 })).rejects.toThrow(/betta/);
    await expect(failure({ id: 'first', beta: -1 })).rejects.toMatchObject({ code: 'config' });
  });

  it('checks ids and options without making a part', async () => {
    const unmade = definePart({
      slot: LOSS,
      id: 'unmade',
      summary: 'A loss.',
      options,
      create: () => {
        throw new Error('made');
      },
    });
    const plugins = [definePlugin({ name: 'one', contract: CONTRACT, parts: [unmade] })];
    const compose = (recipe: Parameters<typeof composeRecipe>[0]['recipe']) => composeRecipe({ plugins, recipe });
    compose({ loss: { id: 'unmade', beta: 1 } });
    expect(() => compose({ loss: { id: 'unmad' } })).toThrow(/Did you mean unmade\?/);
    expect(() => compose({ loss: { id: 'unmade', beta: -1 } })).toThrow(/loss unmade beta/);
    expect(() => compose({ trackers: [{ id: 'none' }] })).toThrow('tracker none');
  });

  it('refuses two plugins that offer the same id', async () => {
    const both = composeRun({
      plugins: [plugin('one', 'same'), plugin('two', 'same')],
      recipe: { loss: { id: 'same' } },
    });
    await expect(both).rejects.toThrow(/one.*two|two.*one/);
  });

  it('hands the context to parts, and makes each tracker anew', async () => {
    const seen: PartContext[] = [];
    const tracker = definePart<Tracker, Record<string, never>>({
      slot: TRACKER,
      id: 'memory',
      summary: 'Remembers.',
      options: z.strictObject({}) as never,
      create: (_, context) => {
        seen.push(context);
        return { id: 'memory', options: {}, log: () => undefined, close: () => undefined };
      },
    });
    const context: PartContext = { baseDirectory: '/tmp', report: () => undefined, env: { KEY: 'value' } };
    const parts = await composeRun({
      plugins: [plugin('one', 'first'), definePlugin({ name: 'two', contract: CONTRACT, parts: [tracker] })],
      recipe: { loss: { id: 'first' }, trackers: [{ id: 'memory' }, { id: 'memory' }] },
      context,
    });
    expect(parts.trackers).toHaveLength(2);
    expect(parts.trackers[0]).not.toBe(parts.trackers[1]);
    const handed = { ...context, makePart: expect.any(Function), inspectPart: expect.any(Function) };
    expect(seen).toEqual([handed, handed]);
  });

  it('makes a part once, when it is asked for, and disposes what was made, last first', async () => {
    const log: string[] = [];
    const logged = (slot: Slot<unknown>, id: string, name: 'dispose' | 'close', inner?: string) =>
      definePart<unknown, unknown>({
        slot,
        id,
        summary: 'Tells when it is made and disposed.',
        options: z.looseObject({}),
        async create(_, { makePart }) {
          if (inner !== undefined) await makePart!(slot, { id: inner });
          log.push(`made ${id}`);
          if (id === 'failing') throw new Error('it fails');
          return { id, [name]: async () => void log.push(`gone ${id}`) };
        },
      });
    const parts = [
      logged(SAMPLER, 'writer', 'dispose'),
      logged(REWARD_MODEL, 'judge', 'dispose'),
      logged(REWARD_MODEL, 'failing', 'dispose', 'judge'),
      logged(TRACKER, 'first', 'close'),
    ];
    const plugins = [definePlugin({ name: 'one', contract: CONTRACT, parts })];
    const recipe = { sampler: { id: 'writer' }, rewardModel: { id: 'judge' }, trackers: [{ id: 'first' }] };
    const composition = composeRecipe({ plugins, recipe });
    expect(log).toEqual([]);
    expect(await composition.make('sampler')).toBe(await composition.make('sampler'));
    await composition.makeAll();
    await composition.dispose();
    await composition.dispose();
    const made = ['made writer', 'made judge', 'made first'];
    expect(log.splice(0)).toEqual([...made, 'gone first', 'gone judge', 'gone writer']);
    const failing = composeRun({ plugins, recipe: { ...recipe, rewardModel: { id: 'failing' } } });
    await expect(failing).rejects.toThrow('it fails');
    expect(log).toEqual(['made writer', 'made judge', 'made failing', 'gone judge', 'gone writer']);
  });

  it('refuses what is no plugin of this contract', () => {
    expect(() => definePlugin({ name: 'old', contract: 0 as never, parts: [] })).toThrow('another contract');
    expect(() => definePlugin({ name: '', contract: CONTRACT, parts: [] })).toThrow('no name');
    expect(() => definePlugin({ name: 'x', contract: CONTRACT, parts: [part('Not Kebab')] })).toThrow('kebab');
  });
});
