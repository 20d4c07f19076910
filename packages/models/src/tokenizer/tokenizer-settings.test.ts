import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadTokenizer } from './load-tokenizer.js';

const FIXTURES = new URL('../../../../fixtures/tokenizers/', import.meta.url).pathname;
const { text, cases } = JSON.parse(readFileSync(`${FIXTURES}tokenizer-settings.json`, 'utf8')) as {
  text: string;
  cases: { kind: string; config: object; changes: boolean }[];
};

async function coded(kind: string, config: object): Promise<unknown> {
  const directory = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  copyFileSync(`${FIXTURES}${kind}/tokenizer.json`, join(directory, 'tokenizer.json'));
  writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify({ eos_token: '</s>', ...config }));
  const tokenizer = await loadTokenizer(directory);
  return [tokenizer.encode(text, { addSpecialTokens: true }), tokenizer.decode(tokenizer.encode(text))];
}

it.each(cases.filter(({ changes }) => changes))(
  'refuses settings that change what Python encodes: $kind, $config',
  async ({ kind, config }) => {
    await expect(coded(kind, config)).rejects.toThrow(/(?:split_special_tokens|add_prefix_space) is not supported/);
  },
);

it.each(cases.filter(({ changes }) => !changes))(
  'takes settings that change nothing in Python, and they change nothing: $kind, $config',
  async ({ kind, config }) => {
    expect(await coded(kind, config)).toEqual(await coded(kind, {}));
  },
);
