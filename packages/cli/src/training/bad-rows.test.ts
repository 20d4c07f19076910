import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trainingRecipe } from '@metaapo/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { loadPreferences } from './load-preferences.js';

const CODING = { tokenizer: undefined, vocabularySize: 10, contextLength: 8, eosTokenIds: [], fingerprint: '' };

it('lists bad rows in every run, also when the ids come from the cache, and keeps prompts beside their rows', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-bad-rows-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  vi.stubEnv('XDG_CACHE_HOME', directory);
  onTestFinished(() => void vi.unstubAllEnvs());
  const train = join(directory, 'pairs.jsonl');
  const rows = [
    { question: [1], chosen: [2], rejected: [3] },
    { question: [1], chosen: [], rejected: [3] },
    { question: [1], chosen: [99], rejected: [3] },
    { question: [4], chosen: [2], rejected: [3] },
  ];
  writeFileSync(train, rows.map((row) => JSON.stringify(row)).join('\n'));
  const load = async (badRows: string) => {
    const data = { train, columns: { prompt: 'question' }, badRows };
    const lines: string[] = [];
    const recipe = trainingRecipe.parse({ model: 'm', output: 'o', data });
    const loaded = await loadPreferences(recipe, CODING, { report: (line) => lines.push(line) });
    return { ...loaded, lines };
  };
  for (const _ of ['first run', 'from the cache']) {
    const { train: kept, lines, texts } = await load('drop');
    expect(kept.map(({ prompt }) => [...prompt])).toEqual([[1], [4]]);
    expect(lines.slice(1)).toEqual([
      'train: 2 bad rows left out',
      expect.stringMatching(/row 1 .*empty response/),
      expect.stringMatching(/row 2 .*99/),
    ]);
    const { promptOf } = await texts();
    expect(kept.map(promptOf)).toHaveLength(2);
  }
  await expect(load('error')).rejects.toThrow(/row 1 .*empty response/);
});
