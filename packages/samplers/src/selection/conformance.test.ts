import { describeSelectionRule } from '@metaapo/testing';
import { describe, it } from 'vitest';
import { all, budget, meta, none, random, threshold } from '../index.js';

const test = { describe, it };

describeSelectionRule(test, () => meta(), { name: 'meta' });
describeSelectionRule(test, () => threshold({ minWeight: 0.4 }), { name: 'threshold' });
describeSelectionRule(test, () => budget({ share: 0.58 }), { name: 'budget' });
describeSelectionRule(test, () => random({ share: 0.3 }), { name: 'random' });
describeSelectionRule(test, () => all(), { name: 'all' });
describeSelectionRule(test, () => none(), { name: 'none' });
