import type { PartFlags } from '../test-runner.js';

/** What an annotation rule cannot be held to: nothing so far. */
export interface AnnotationRuleFlags extends PartFlags {}
