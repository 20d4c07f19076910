import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openRunJournal } from '../../journal/index.js';
import { withStageClock } from './stage-clock.js';

/** Keeps the process busy, so that time passes without a timer. */
const busy = (milliseconds: number): void => {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
};

async function journalFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-clock-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'journal.jsonl');
}

it('what overlaps within a stage counts once, and in two stages twice', async () => {
  const journal = await openRunJournal(await journalFile());
  const seconds = await withStageClock(journal, 0, [], async (clock) => {
    const parts = [1, 2, 3].map(() => clock.time('reward', () => Promise.resolve().then(() => busy(20))));
    await clock.time('sample', () => Promise.all(parts));
    return clock.seconds();
  });
  expect(seconds.reward).toBeGreaterThan(0.059);
  expect(seconds.reward).toBeLessThan(1.1 * seconds.sample! + 0.001);
});

it('seconds of an earlier process are kept, also when that failed', async () => {
  const file = await journalFile();
  const failing = withStageClock(await openRunJournal(file), 1, [], (clock) =>
    clock.time('train', async () => {
      busy(30);
      throw new Error('stopped');
    }),
  );
  await expect(failing).rejects.toThrow('stopped');
  const journal = await openRunJournal(file);
  const seconds = await withStageClock(journal, 1, journal.entries, async (clock) => {
    await clock.time('train', async () => busy(10));
    return clock.seconds();
  });
  expect(seconds.train).toBeGreaterThan(0.039);
});
