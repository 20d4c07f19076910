import type { AnyPart, Plugin } from '@metaapo/core/contracts';
import { CONTRACT, definePlugin } from '@metaapo/core/contracts';
import { adaptivePart } from './annotation/adaptive.js';
import { annotateAllPart } from './annotation/all.js';
import { cascadePart } from './annotation/cascade.js';
import { uncertainPairPart } from './annotation/uncertain-pair.js';
import { bestOfNPart } from './pairs/best-of-n.js';
import { bestRandomPart } from './pairs/best-random.js';
import { bestWorstPart } from './pairs/best-worst.js';
import { maxMinLengthPenaltyPart } from './pairs/max-min-length-penalty.js';
import { allPart } from './selection/all.js';
import { budgetPart } from './selection/budget.js';
import { metaPart } from './selection/meta.js';
import { nonePart } from './selection/none.js';
import { randomPart } from './selection/random.js';
import { thresholdPart } from './selection/threshold.js';

const selectionRules: readonly AnyPart[] = [metaPart, thresholdPart, budgetPart, randomPart, allPart, nonePart];

const pairRules: readonly AnyPart[] = [bestWorstPart, bestRandomPart, bestOfNPart, maxMinLengthPenaltyPart];

const annotationRules: readonly AnyPart[] = [annotateAllPart, adaptivePart, uncertainPairPart, cascadePart];

/** The selection rules, annotation rules and pair rules of this package. */
export const plugin: Plugin = definePlugin({
  name: '@metaapo/rules',
  contract: CONTRACT,
  parts: [...selectionRules, ...annotationRules, ...pairRules],
});
