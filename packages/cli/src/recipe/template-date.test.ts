import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepRecipe } from '../training/claim-output.js';
import { checkResumedRecipe } from './resumed-recipe.js';
import { startOfDay, withTemplateDate } from './template-date.js';

const output = mkdtempSync(join(tmpdir(), 'metaapo-day-'));
beforeEach(() => {
  mkdirSync(output, { recursive: true });
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(output, { recursive: true, force: true });
});

it('keeps the day on which a run began when it is resumed after midnight', async () => {
  vi.setSystemTime(new Date(2026, 0, 31, 23, 59));
  const begun = await withTemplateDate({ output, data: {} }, false);
  expect(begun.data).toEqual({ templateDate: '2026-01-31' });
  await keepRecipe(begun);
  vi.setSystemTime(new Date(2026, 1, 1, 0, 1));
  const resumed = await withTemplateDate({ output, data: {} }, true);
  expect(resumed).toEqual(begun);
  await checkResumedRecipe(output, resumed, false, () => undefined);
  const another = await withTemplateDate({ output, data: {} }, false);
  expect(another.data).toEqual({ templateDate: '2026-02-01' });
  await expect(checkResumedRecipe(output, another, false, () => undefined)).rejects.toThrow(
    /data\.templateDate: "2026-01-31" -> "2026-02-01"/,
  );
});

it('takes today where the recipe of a run holds a day that is none', async () => {
  vi.setSystemTime(new Date(2026, 0, 31));
  for (const kept of ['data: {templateDate: 2026-99-99}', 'data: {templateDate: soon}', 'data: 5', '[]']) {
    writeFileSync(join(output, 'recipe.yaml'), kept);
    expect((await withTemplateDate({ output, data: {} }, true)).data).toEqual({ templateDate: '2026-01-31' });
  }
});

it("takes the recipe's own day", async () => {
  const given = { output, data: { templateDate: '2024-02-29' } };
  expect(await withTemplateDate(given, true)).toEqual(given);
  expect(startOfDay('2024-02-29')).toEqual(new Date(2024, 1, 29));
});
