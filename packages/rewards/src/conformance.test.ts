import { describePairRule, describeRewardModel } from '@metaapo/testing';
import { describe, it } from 'vitest';
import {
  bestOfN,
  bestRandom,
  bestWorst,
  functionReward,
  jsonValidityReward,
  lengthReward,
  maxMinLengthPenalty,
  regexReward,
} from './index.js';

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

describePairRule(test, () => bestWorst(), { name: 'best-worst' });
describePairRule(test, () => bestRandom(), { name: 'best-random' });
describePairRule(test, () => bestOfN(), { name: 'best-of-n' });
describePairRule(test, () => maxMinLengthPenalty(), { name: 'max-min-length-penalty', followsRewards: false });
