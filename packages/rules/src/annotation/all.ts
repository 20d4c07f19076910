import type { AnnotationRule, PartDefinition } from '@metaapo/core/contracts';
import { ANNOTATION_RULE, definePart } from '@metaapo/core/contracts';
import { z } from 'zod';
import { unscored } from './candidate-rewards.js';

const schema = z.strictObject({});

/** A reward call for every response. */
export function annotateAll(): AnnotationRule {
  return {
    id: 'all',
    options: Object.freeze({}),
    next: ({ responses }) => unscored(responses),
  };
}

/** {@link annotateAll} as a part. */
export const annotateAllPart: PartDefinition<AnnotationRule, Record<string, never>> = definePart({
  slot: ANNOTATION_RULE,
  id: 'all',
  summary: 'Every response is scored.',
  options: schema,
  create: () => annotateAll(),
});
