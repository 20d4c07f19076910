// Every key that a file of a model or a row may have is honoured, refused, or known to change nothing, with a reason.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMetaapoError } from '@metaapo/core/contracts';
import { parseDemonstration, parsePreference } from '@metaapo/data';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FOREIGN_TO_TRAINING } from '../packages/data/src/rows/foreign-columns.js';
import { HARMLESS_FIELDS, harmlessBecause } from '../packages/models/src/architectures/harmless-fields.js';
import { readConfig } from '../packages/models/src/architectures/read-config.js';
import { HARMLESS_ADAPTER_FIELDS, readAdapterSettings } from '../packages/models/src/checkpoint/adapter-settings.js';
import { readTextSource } from '../packages/models/src/language-model/load-text-model.js';
import { loadTokenizer } from '../packages/models/src/tokenizer/load-tokenizer.js';
import { HARMLESS_TOKENIZER_SETTINGS } from '../packages/models/src/tokenizer/tokenizer-settings.js';

const fixture = (path: string): string => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
const json = (path: string): Record<string, unknown> => JSON.parse(readFileSync(fixture(path), 'utf8'));

const unknownKey = fc.stringMatching(/^[a-z]{3}_[a-z]{3,9}$/).filter((name) => !name.endsWith('_token'));
const value = fc.oneof(fc.integer({ min: 1 }), fc.double({ min: 0.5, noNaN: true }), fc.string(), fc.constant(true));
/** Keys of a list of harmless ones, or any. */
const keyOf = (harmless: Iterable<string>) => fc.oneof(fc.constantFrom(...harmless), unknownKey);

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-keys-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** What came of a call: its result, or the paragraph that refuses. Any other error is thrown on. */
async function outcome<Result>(
  call: () => Result | Promise<Result>,
): Promise<{ result: Result } | { refusal: string }> {
  try {
    return { result: await call() };
  } catch (error) {
    if (!isMetaapoError(error)) throw error;
    return { refusal: error.message };
  }
}

const RUNS = { numRuns: 200, seed: 11 };

it('of config.json', async () => {
  const plain = json('models/qwen2/config.json');
  const read = (raw: Record<string, unknown>) => {
    const { common, shape, family } = readConfig(raw, 'config.json');
    return JSON.stringify({ common, shape, family });
  };
  await fc.assert(
    fc.asyncProperty(keyOf(HARMLESS_FIELDS.keys()), value, async (key, stated) => {
      const came = await outcome(() => read({ ...plain, [key]: stated }));
      if (harmlessBecause(key, stated) === undefined) expect(came).toEqual({ refusal: expect.stringContaining(key) });
      else expect(came).toEqual({ result: read(plain) });
    }),
    RUNS,
  );
});

it('of adapter_config.json', async () => {
  const plain = json('adapters/plain/adapter_config.json');
  const directory = temporaryDirectory();
  const read = (raw: Record<string, unknown>) => {
    writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify(raw));
    return readAdapterSettings(directory);
  };
  const expected = await read(plain);
  await fc.assert(
    fc.asyncProperty(keyOf(Object.keys(HARMLESS_ADAPTER_FIELDS)), value, async (key, stated) => {
      const came = await outcome(() => read({ ...plain, [key]: stated }));
      if (key in HARMLESS_ADAPTER_FIELDS) expect(came).toEqual({ result: expected });
      else expect(came).toEqual({ refusal: expect.stringContaining(key) });
    }),
    RUNS,
  );
});

describe('of a tokenizer', () => {
  const TEXT = ' Tides </s> rise.\n\nTwice';
  const coded = async (files: Record<string, unknown>, engine?: 'native' | 'embedded') => {
    const directory = temporaryDirectory();
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), JSON.stringify(content));
    const tokenizer = await loadTokenizer(directory, { engine });
    const ids = tokenizer.encode(TEXT, { addSpecialTokens: true });
    return [[...ids], tokenizer.decode(ids), tokenizer.decode(ids, { keepSpecialTokens: true })];
  };
  const whole = json('tokenizers/gpt2/tokenizer.json');

  it('in tokenizer_config.json, as transformers has them', async () => {
    const expected = await coded({ 'tokenizer.json': whole });
    await fc.assert(
      fc.asyncProperty(keyOf(Object.keys(HARMLESS_TOKENIZER_SETTINGS)), value, async (key, stated) => {
        expect(await coded({ 'tokenizer.json': whole, 'tokenizer_config.json': { [key]: stated } })).toEqual(expected);
      }),
      { ...RUNS, numRuns: 30 },
    );
  });

  it.each(['native', 'embedded'] as const)('in tokenizer.json, as the Python library has them: %s', async (engine) => {
    const expected = await coded({ 'tokenizer.json': whole }, 'native');
    const places = ['', 'model', 'pre_tokenizer', 'decoder', 'post_processor'] as const;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), unknownKey, value, async (place, key, stated) => {
        const more = { [key]: stated };
        const given =
          place === '' ? { ...whole, ...more } : { ...whole, [place]: { ...(whole[place] as object), ...more } };
        const came = await outcome(() => coded({ 'tokenizer.json': given }, engine));
        if ('result' in came) expect(came.result).toEqual(expected);
        else expect(came.refusal).toContain('tokenizer.json');
      }),
      { ...RUNS, numRuns: 30 },
    );
  });
});

it('of generation_config.json: what ends a response is read, how one is drawn is said by recipes', async () => {
  const directory = temporaryDirectory();
  copyFileSync(fixture('models/qwen2/config.json'), join(directory, 'config.json'));
  const ends = async (raw: Record<string, unknown>) => {
    writeFileSync(join(directory, 'generation_config.json'), JSON.stringify(raw));
    return (await readTextSource({ directory })).description.eosTokenIds;
  };
  expect(await ends({ eos_token_id: [3, 5] })).toEqual([3, 5]);
  await fc.assert(
    fc.asyncProperty(unknownKey, value, async (key, stated) => {
      expect(await ends({ eos_token_id: [3, 5], [key]: stated })).toEqual([3, 5]);
    }),
    { ...RUNS, numRuns: 30 },
  );
});

describe('of rows', () => {
  const origin = { file: 'rows.jsonl', row: 0 };
  const ask = { role: 'user', content: 'Tide?' };
  const says = (content: string, more: object = {}) => [{ role: 'assistant', content, ...more }];

  it('change nothing as columns that no reader names', () => {
    const values = { prompt: [ask], chosen: says('a'), rejected: says('b') };
    const expected = parsePreference({ ...origin, values });
    const given = (key: string, stated: unknown): void => {
      expect(parsePreference({ ...origin, values: { ...values, [key]: stated } })).toEqual(expected);
    };
    fc.assert(fc.property(unknownKey, value, given), RUNS);
  });

  it('are refused as columns by which other trainers change the loss', () => {
    const values = { prompt: [ask], chosen: says('a'), rejected: says('b') };
    const given = (key: string, stated: unknown): void => {
      fc.pre(stated !== '');
      const read = () => parsePreference({ ...origin, values: { ...values, [key]: stated } });
      expect(read).toThrow(`\`${key}\` changes what other trainers compute`);
    };
    fc.assert(fc.property(fc.constantFrom(...FOREIGN_TO_TRAINING), value, given), RUNS);
  });

  it('reach the chat template as keys of messages, tools and template arguments', () => {
    const carried = (key: string, stated: unknown): void => {
      const more = { [key]: stated };
      const context = { tools: [{ name: 'tide', ...more }], chat_template_kwargs: more };
      const pair = { prompt: [{ ...ask, ...more }], chosen: says('a', more), rejected: says('b') };
      const read = parsePreference({ ...origin, values: { ...pair, ...context } });
      const chat = { tools: context.tools, templateArguments: more };
      expect(read).toMatchObject({ ...pair, chat });
      const talk = parseDemonstration({ ...origin, values: { messages: [...pair.prompt, ...pair.chosen] } });
      expect(talk).toMatchObject({ messages: [...pair.prompt, ...pair.chosen] });
    };
    fc.assert(fc.property(unknownKey, value, carried), RUNS);
  });
});
