import type { FuzzTarget } from './fuzz-target.js';
import { HUB_TARGETS } from './hub-targets.js';
import { MODEL_TARGETS } from './model-targets.js';
import { RECIPE_TARGETS } from './recipe-targets.js';
import { REPLY_TARGETS } from './reply-targets.js';
import { ROW_TARGETS } from './row-targets.js';
import { RUN_TARGETS } from './run-targets.js';

/** Every parser of what comes from outside; further ones are added to these lists. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...RECIPE_TARGETS,
  ...ROW_TARGETS,
  ...MODEL_TARGETS,
  ...RUN_TARGETS,
  ...REPLY_TARGETS,
  ...HUB_TARGETS,
];
