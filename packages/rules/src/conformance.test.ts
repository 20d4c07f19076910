import type { RewardModel } from '@metaapo/core/contracts';
import { describeAnnotationRule, describePairRule, describeSelectionRule } from '@metaapo/testing';
import { describe, it } from 'vitest';
import {
  adaptive,
  all,
  annotateAll,
  bestOfN,
  bestRandom,
  bestWorst,
  budget,
  cascade,
  maxMinLengthPenalty,
  meta,
  none,
  random,
  threshold,
  uncertainPair,
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

const cheap = (id: string): RewardModel => ({
  id,
  options: {},
  fingerprint: id,
  score: async (requests) => new Float32Array(requests.length),
});

describeAnnotationRule(test, () => annotateAll(), { name: 'annotation all' });
describeAnnotationRule(test, () => adaptive({ spread: 0.5 }), { name: 'adaptive' });
describeAnnotationRule(test, () => cascade(cheap('a'), { clearBy: 0.5 }), { name: 'cascade' });
describeAnnotationRule(test, () => uncertainPair(), { name: 'uncertain-pair by log-probabilities' });
describeAnnotationRule(test, () => uncertainPair([cheap('a'), cheap('b')]), { name: 'uncertain-pair by scorers' });
