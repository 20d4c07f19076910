import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadTokenizer } from './load-tokenizer.js';
import { NativeThread } from './native-thread.js';

const FIXTURES = new URL('../../../../fixtures/tokenizers/', import.meta.url).pathname;
const read = (name: string) => JSON.parse(readFileSync(`${FIXTURES}${name}`, 'utf8'));
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** A directory with a tokenizer of a kind and the given settings. */
function directoryOf(kind: string, config: object, map?: object): string {
  const directory = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  directories.push(directory);
  writeFileSync(join(directory, 'tokenizer.json'), readFileSync(`${FIXTURES}${kind}/tokenizer.json`));
  writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify(config));
  if (map) writeFileSync(join(directory, 'special_tokens_map.json'), JSON.stringify(map));
  return directory;
}

describe.each(['native', 'embedded'] as const)('with the %s engine', (engine) => {
  it.each(['gpt2', 'llama3', 'o200k', 'digits'])('a text comes back from its ids: %s', async (kind) => {
    const tokenizer = await loadTokenizer(directoryOf(kind, { clean_up_tokenization_spaces: true }), { engine });
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('Bonjour ! Ça va ?', "x = [1 , 2] . y n't", '\uFEFFa'),
    );
    const comesBack = (text: string): void => {
      expect(tokenizer.decode(tokenizer.encode(text), { keepSpecialTokens: true })).toBe(text);
    };
    fc.assert(fc.property(texts, comesBack), { numRuns: 200 });
  });
});

describe('special tokens are those that Python names, marks and adds', () => {
  const { text, cases } = read('special-tokens.json');
  it.each(cases as Record<string, unknown>[])('$config', async ({ config, map, ...expected }) => {
    const tokenizer = await loadTokenizer(directoryOf('added', config as object, map as object));
    const ids = tokenizer.encode(text);
    expect({
      ids: [...ids],
      text: tokenizer.decode(ids, { keepSpecialTokens: true }),
      withoutSpecial: tokenizer.decode(ids),
      eos: tokenizer.eosTokenId ?? null,
      size: tokenizer.vocabularySize,
    }).toEqual(expected);
  });
});

it('refuses a link that leads out of the directory, also of a file that only goes with a saved model', async () => {
  const directory = directoryOf('gpt2', {});
  writeFileSync(join(directory, '..', 'outside.txt'), '');
  symlinkSync(join(directory, '..', 'outside.txt'), join(directory, 'merges.txt'));
  await expect(loadTokenizer(directory)).rejects.toThrow(/merges\.txt: the file is a link that leaves its directory/);
  rmSync(join(directory, '..', 'outside.txt'));
});

it('decodes no ids to no text, and passes over ids that nothing stands for', async () => {
  const tokenizer = await loadTokenizer(directoryOf('gpt2', {}));
  expect(tokenizer.decode([])).toBe('');
  expect(tokenizer.decode([100_000, ...tokenizer.encode('tide')])).toBe('tide');
});

it('says that JavaScript encodes where the native library is not installed', async () => {
  const directory = directoryOf('gpt2', {});
  expect((await loadTokenizer(directory)).warnings).toEqual([]);
  vi.spyOn(NativeThread, 'shared').mockReturnValue(undefined);
  const { engine, warnings } = await loadTokenizer(directory);
  vi.restoreAllMocks();
  expect(engine).toBe('embedded');
  expect(warnings).toEqual([expect.stringMatching(/encoded in JavaScript.*npm install tokenizers/)]);
});
