import { expect, it } from 'vitest';
import { type RunEvents, watchedBy } from './index.js';

it('passes every event on to all who watch, in their order, and waits for what takes time', async () => {
  const heard: string[] = [];
  const slow: RunEvents = {
    begin: async ({ directory }) => {
      await Promise.resolve();
      heard.push(`slow begin ${directory}`);
    },
    log: async (step) => {
      await Promise.resolve();
      heard.push(`slow log ${step}`);
    },
    stage: (stage, done, total) => void heard.push(`slow ${stage} ${done}/${total}`),
  };
  const quick: RunEvents = {
    begin: () => void heard.push('quick begin'),
    log: () => void heard.push('quick log'),
    warning: (text) => void heard.push(`quick ${text}`),
  };
  const run = watchedBy([slow, quick]);
  await run.begin!({ directory: 'runs/a' });
  run.stage!('sample', 1, 4);
  run.warning!('careful');
  run.evaluation!(1, 2);
  await run.log!(3, { loss: 1 });
  expect(heard).toEqual([
    'slow begin runs/a',
    'quick begin',
    'slow sample 1/4',
    'quick careful',
    'slow log 3',
    'quick log',
  ]);
});
