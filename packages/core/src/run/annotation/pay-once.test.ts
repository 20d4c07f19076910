import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RewardModel, RewardRequest } from '../../contracts/index.js';
import { openRunJournal } from '../../journal/index.js';
import { payOnce } from './pay-once.js';

async function journalFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'metaapo-pay-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'journal.jsonl');
}

/** A scorer by length that keeps what it was asked in each call; the text `?` has no readable reward. */
function scorer(more: Partial<RewardModel> = {}) {
  const calls: (readonly string[])[] = [];
  const score: RewardModel['score'] = async (requests: readonly RewardRequest[]) => {
    calls.push(requests.map(({ response }) => response));
    return Float32Array.from(requests, ({ response }) => (response === '?' ? Number.NaN : response.length));
  };
  const model: RewardModel = { id: 'length', options: {}, fingerprint: 'length 1', score, ...more };
  return { calls, model };
}

const group = (prompt: string, ...responses: string[]) => ({ prompt, responses });
const rewardsOf = (given: readonly { readonly rewards: readonly number[] }[]) => given.map(({ rewards }) => rewards);

describe('rewards that are paid once', () => {
  it('come in the order of the groups, each text scored once', async () => {
    const { calls, model } = scorer();
    const annotate = payOnce(model, await openRunJournal(await journalFile()));
    const given = await annotate([group('p', 'a', 'bb', 'a'), group('q', 'a'), group('p', 'ccc', 'bb'), group('p')]);
    expect(rewardsOf(given)).toEqual([[1, 2, 1], [1], [3, 2], []]);
    expect(calls).toEqual([['a', 'bb', 'a', 'ccc']]);
    await annotate([group('p', 'bb', 'd')]);
    expect(calls[1]).toEqual(['d']);
  });

  it('are refused where one is infinite or missing, before they are journalled', async () => {
    const journal = await openRunJournal(await journalFile());
    const giving = (...rewards: number[]) =>
      payOnce({ ...scorer().model, score: async () => Float32Array.from(rewards) }, journal);
    const asked = [group('p', 'a', 'bb')];
    await expect(giving(1, Number.NEGATIVE_INFINITY)(asked)).rejects.toThrow(
      /a reward is infinite.*-Infinity for the response "bb"/s,
    );
    await expect(giving(1, 1e39)(asked)).rejects.toThrow(/infinite/);
    await expect(giving(1)(asked)).rejects.toThrow(/Expected 2 rewards; got 1/);
    expect(journal.entries).toEqual([]);
  });

  it('are shared by calls under way', async () => {
    const { calls, model } = scorer();
    const annotate = payOnce(model, await openRunJournal(await journalFile()));
    const both = await Promise.all([annotate([group('p', 'a', 'bb')]), annotate([group('p', 'bb', 'ccc')])]);
    expect(both.map(rewardsOf)).toEqual([[[1, 2]], [[2, 3]]]);
    expect(calls).toEqual([['a', 'bb'], ['ccc']]);
  });

  it('come from the journal in another process, unreadable ones too', async () => {
    const file = await journalFile();
    await payOnce(scorer().model, await openRunJournal(file))([group('p', 'a', '?')]);
    const { calls, model } = scorer();
    const given = await payOnce(model, await openRunJournal(file))([group('p', '?', 'a', 'bb')]);
    expect(rewardsOf(given)).toEqual([[Number.NaN, 1, 2]]);
    expect(calls).toEqual([['bb']]);
  });

  it('belong to their reward model and prompt', async () => {
    const file = await journalFile();
    await payOnce(scorer().model, await openRunJournal(file))([group('p', 'a')]);
    const { calls, model } = scorer({ fingerprint: 'length 2' });
    const annotate = payOnce(model, await openRunJournal(file));
    await annotate([group('p', 'a')]);
    await annotate([{ prompt: [{ role: 'user', content: 'p' }], responses: ['a'] }]);
    expect(calls).toEqual([['a'], ['a']]);
  });

  it('are asked for again after a failure, which is thrown', async () => {
    let isDown = true;
    const { model } = scorer();
    const score: RewardModel['score'] = (requests) =>
      isDown ? Promise.reject(new Error('down')) : model.score(requests);
    const annotate = payOnce({ ...model, score }, await openRunJournal(await journalFile()));
    await expect(annotate([group('p', 'a'), group('p', 'bb')])).rejects.toThrow('down');
    isDown = false;
    expect(rewardsOf(await annotate([group('p', 'a')]))).toEqual([[1]]);
  });
});

describe('relative rewards', () => {
  it('are paid by prompt, and again when the others change', async () => {
    const { calls, model } = scorer({ isRelative: true });
    const file = await journalFile();
    const annotate = payOnce(model, await openRunJournal(file));
    await annotate([group('p', 'a', 'bb'), group('p', 'ccc', 'a'), group('p', 'a', 'bb'), group('q')]);
    expect(calls).toEqual([
      ['a', 'bb'],
      ['ccc', 'a'],
    ]);
    const again = scorer({ isRelative: true });
    await payOnce(again.model, await openRunJournal(file))([group('p', 'ccc', 'a'), group('p', 'a', 'ccc')]);
    expect(again.calls).toEqual([['a', 'ccc']]);
  });

  it('tell how many comparisons could not be read, also from the journal', async () => {
    const { model } = scorer();
    const score: RewardModel['score'] = (requests, signal, onUnreadable) => {
      for (const { response } of requests) if (response === '?') onUnreadable?.();
      return model.score(requests, signal);
    };
    const file = await journalFile();
    for (let times = 0; times < 2; times++) {
      const annotate = payOnce({ ...model, isRelative: true, score }, await openRunJournal(file));
      const given = await annotate([group('p', 'a', '?', '?'), group('q', 'a', 'b')]);
      expect(given.map(({ unreadableComparisons }) => unreadableComparisons)).toEqual([2, 0]);
    }
  });
});
