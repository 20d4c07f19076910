import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type JournalEntry, openJournal } from '../storage/index.js';
import type { RunEntry } from './run-entry.js';
import { entriesOfKind, openRunJournal, readRunJournal } from './run-journal.js';

async function journalFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-journal-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'journal.jsonl');
}

const KEY = { recipe: 'r', data: 'd', policy: 'p', computedBy: 'cpu' };

const ENTRIES: readonly RunEntry[] = [
  { kind: 'start', key: KEY },
  { kind: 'changed', key: { ...KEY, data: 'e' }, isOtherData: true },
  { kind: 'reward-model', fingerprint: 'f' },
  { kind: 'baseline', heldOutReward: 0.5 },
  { kind: 'scores', iteration: 0, scores: [-1.5, 2], chosenEntropy: [0.1, 0.2], rejectedEntropy: [0.3, 0.4] },
  { kind: 'selection', iteration: 0, selected: [3], weights: [0.25, 1] },
  {
    kind: 'responses',
    iteration: 0,
    row: 3,
    responses: [{ text: 'a', tokens: [1, 2], finishReason: 'stop', logprobs: [-0.5, Number.NaN] }],
  },
  { kind: 'rewards', key: 'k', rewards: [Number.NaN, 1], unreadableComparisons: 2 },
  { kind: 'step', iteration: 0, step: 1, rows: [3, 4], weights: [0.5, 1] },
  { kind: 'step', step: 2, rows: [5] },
  { kind: 'seconds', iteration: 0, seconds: { sample: 0.5, train: 2 } },
];

it('is read as it was written, numbers that are none included', async () => {
  const file = await journalFile();
  const journal = await openRunJournal(file);
  await journal.append(...ENTRIES);
  expect(await readRunJournal(file)).toEqual(ENTRIES);
  expect((await openRunJournal(file, ({ kind }) => kind === 'step')).entries).toEqual(entriesOfKind(ENTRIES, 'step'));
});

const FOREIGN: readonly (readonly [what: string, entry: JournalEntry, message: RegExp])[] = [
  ['a kind that it does not know', { kind: 'wages', key: 'k' }, /an entry "wages"/],
  [
    'a field of another type',
    { kind: 'selection', iteration: 0, selected: 'all', weights: [] },
    /"selection": selected/,
  ],
  [
    'rewards by row, as they once were',
    { kind: 'rewards', row: 1, rewards: [1] },
    /"rewards": key: .*version that wrote/,
  ],
  ['an unknown stage', { kind: 'seconds', iteration: 0, seconds: { rest: 1 } }, /"seconds": seconds/],
];

it.each(FOREIGN)('with %s is refused in a sentence', async (_, entry, message) => {
  const file = await journalFile();
  await (await openJournal(file)).append(entry);
  await expect(readRunJournal(file)).rejects.toThrow(message);
  await expect(openRunJournal(file)).rejects.toThrow(/does not read the journal/);
  expect(await readRunJournal(file, () => false)).toEqual([]);
});
