import { expect, it } from 'vitest';
import { runNames } from './run-names.js';

it.each([
  [
    ['runs/a', 'runs/b'],
    ['a', 'b'],
  ],
  [
    ['runs/a/seed-1', 'runs/b/seed-1'],
    ['a/seed-1', 'b/seed-1'],
  ],
  [
    ['runs/a/seed-1', 'runs/b/seed-1', 'runs/b/seed-2'],
    ['a/seed-1', 'b/seed-1', 'b/seed-2'],
  ],
  [['./one/'], ['one']],
])('%j are told apart as %j', (directories, names) => {
  expect(runNames(directories)).toEqual(names);
});
