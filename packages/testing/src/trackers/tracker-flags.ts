import type { PartFlags } from '../test-runner.js';

/** What a tracker's tests may be told; no check of a tracker can be taken out. */
export type TrackerFlags = PartFlags;
