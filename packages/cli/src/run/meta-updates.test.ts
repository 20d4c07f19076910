import { expect, it } from 'vitest';
import { expectedSteps, metaUpdatesLine } from './meta-updates.js';

const objective = (metaLearner: object, updates: number) => ({
  options: { metaLearner },
  metaUpdates: () => updates,
});

it('counts the steps of rows that are trained: all of them where unselected ones are kept', () => {
  const training = { batchSize: 4, epochs: 2, lastBatch: 'keep', shuffle: false, seed: 0 } as never;
  const iterations = [{ rows: 16, most: 16, expected: 9 }];
  expect(expectedSteps({ training }, { options: { unselected: 'keep' } }, iterations)).toEqual([8]);
  expect(expectedSteps({ training }, { options: { unselected: 'drop' } }, iterations)).toEqual([6]);
  const whole = { ...(training as object), lastBatch: 'drop' } as never;
  expect(expectedSteps({ training: whole }, { options: {} }, iterations)).toEqual([4]);
});

it('says how many updates are expected, how they are counted, and warns where there are none', () => {
  expect(metaUpdatesLine(objective({ updateEvery: 8 }, 11), [92])).toBe(
    'Updates of the meta-learner, expected: 11, one in 8 of 92 optimizer steps',
  );
  expect(metaUpdatesLine(objective({ updateEvery: 16, leftover: 'discard' }, 15), [92, 92, 92])).toMatch(
    /15, one in 16 of 276 optimizer steps, counted from the first of each iteration/,
  );
  expect(metaUpdatesLine(objective({ updateEvery: 8 }, 0), [1, 0])).toMatch(
    /^Warning: the meta-learner will not be updated.*expected to have 1\. Lower metaLearner\.updateEvery or training\.batchSize/,
  );
  expect(metaUpdatesLine({ options: {} }, [92])).toBeUndefined();
});
