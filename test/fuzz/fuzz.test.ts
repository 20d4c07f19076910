import { describe, expect, it } from 'vitest';
import { foundInputs } from './found-inputs.js';
import { FUZZ_TARGETS } from './targets.js';
import { inputOf, tryInput } from './try-input.js';

/** Inputs of each parser; `pnpm fuzz` tries as many as one likes, and watches over time and memory. */
const INPUTS = 20;

describe.each(FUZZ_TARGETS)('$name', (target) => {
  it('takes what is nearly right, or refuses it in words', async () => {
    for (let index = 0; index < INPUTS; index++) {
      const { fault } = await tryInput(target, inputOf(target, 1, index));
      expect(fault).toBeUndefined();
    }
  }, 60_000);

  const found = foundInputs().filter((one) => one.target === target.name);
  it.each(found)('has no fault again with $input', async ({ input }) => {
    expect((await tryInput(target, input)).fault).toBeUndefined();
  });
});

it('keeps no input of a parser that is not there', () => {
  const names = FUZZ_TARGETS.map(({ name }) => name);
  expect(foundInputs().filter(({ target }) => !names.includes(target))).toEqual([]);
});
