import { describePairRule, describeSelectionRule } from '@metaapo/testing';
import { describe, it } from 'vitest';
import {
  all,
  bestOfN,
  bestRandom,
  bestWorst,
  budget,
  maxMinLengthPenalty,
  meta,
  none,
  random,
  threshold,
} from './index.js';

const test = { describe, it };

describeSelectionRule(test, () => meta(), { name: 'meta' });
describeSelectionRule(test, () => threshold({ minWeight: 0.4 }), { name: 'threshold' });
describeSelectionRule(test, () => budget({ share: 0.58 }), { name: 'budget' });
describeSelectionRule(test, () => random({ share: 0.3 }), { name: 'random' });
describeSelectionRule(test, () => all(), { name: 'all' });
describeSelectionRule(test, () => none(), { name: 'none' });

describePairRule(test, () => bestWorst(), { name: 'best-worst' });
describePairRule(test, () => bestRandom(), { name: 'best-random' });
describePairRule(test, () => bestOfN(), { name: 'best-of-n' });
describePairRule(test, () => maxMinLengthPenalty(), { name: 'max-min-length-penalty', followsRewards: false });
