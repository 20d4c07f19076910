import { expect, it } from 'vitest';
import { wholeFloatsIn, withWholeFloats } from './whole-floats.js';

it('writes whole numbers as the file has them, with a point or without', () => {
  const text = `{
  "cap": 30.0,
  "eps": 1e-06,
  "inner": {
    "factor": -8.0
  },
  "note": "\\"size\\": 4.0, ",
  "size": 4
}`;
  expect(wholeFloatsIn(text)).toEqual(['cap', 'factor']);
  expect(withWholeFloats(JSON.parse(text), wholeFloatsIn(text))).toBe(text.replace('1e-06', '0.000001'));
});
