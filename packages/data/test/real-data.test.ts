import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readPreferences } from '../src/index.js';
import { collect } from './collect.js';

const SHARED = process.env.METAAPO_SHARED ?? new URL('../../../../shared', import.meta.url).pathname;
const TRAIN = `${SHARED}/data/train_prefs.parquet`;
const GOLDEN = `${SHARED}/goldens/training/data.json`;
for (const file of [TRAIN, GOLDEN])
  if (!existsSync(file)) console.info(`${file} is absent: skipped; set METAAPO_SHARED`);

it.skipIf(!existsSync(TRAIN))('reads a real data set of 2432 preferences', { timeout: 30_000 }, async () => {
  const rows = await collect(readPreferences(TRAIN));
  expect(rows).toHaveLength(2432);
  expect(
    rows.every(({ form, scoreChosen, scoreRejected }) => form === 'messages' && scoreChosen! > scoreRejected!),
  ).toBe(true);
  expect(rows[0]).toMatchObject({ prompt: [{ role: 'user' }], chosen: [{ role: 'assistant' }], scoreChosen: 0.2033 });
});

it.skipIf(!existsSync(GOLDEN))('reads golden rows of token ids with online pairs', async () => {
  const rows = await collect(readPreferences(GOLDEN));
  expect(rows[0]).toMatchObject({ form: 'tokens', prompt: Int32Array.of(420, 116, 6, 199, 367, 283) });
  expect(rows.every((row) => row.form === 'tokens' && row.online?.length === 1)).toBe(true);
});
