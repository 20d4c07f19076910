import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readTextSource } from './load-text-model.js';

const MODEL = new URL('../../../../fixtures/quickstart/model', import.meta.url).pathname;

function copyOf(source: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-text-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  cpSync(source, directory, { recursive: true });
  return directory;
}

function change(file: string, more: object): void {
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...more }));
}

it('reads a model whose pad token has no row, since no text needs it', async () => {
  const directory = copyOf(MODEL);
  const { vocabularySize } = (await readTextSource({ directory })).description;
  change(join(directory, 'tokenizer_config.json'), { pad_token: '<a pad that the vocabulary lacks>' });
  const { tokenizer, ...description } = (await readTextSource({ directory })).description;
  expect(description.vocabularySize).toBe(vocabularySize);
  expect(tokenizer!.padTokenId).toBeGreaterThanOrEqual(vocabularySize);
});
