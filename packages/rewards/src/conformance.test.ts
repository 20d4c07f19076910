import { describeRewardModel } from '@metaapo/testing';
import { describe, it } from 'vitest';
import { functionReward, jsonValidityReward, lengthReward, regexReward } from './index.js';

const test = { describe, it };

describeRewardModel(
  test,
  () => functionReward((requests) => requests.map(({ response }) => response.length), 'length'),
  {
    name: 'function',
  },
);
describeRewardModel(test, () => lengthReward({ minCharacters: 5, maxCharacters: 50 }), { name: 'length' });
describeRewardModel(test, () => regexReward({ pattern: '^[A-Z]' }), { name: 'regex' });
describeRewardModel(test, () => jsonValidityReward(), { name: 'json-validity' });
