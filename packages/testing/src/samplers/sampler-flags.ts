import type { SamplingRequest } from '@metaapo/core/contracts';
import type { PartFlags } from '../test-runner.js';

/** What a sampler cannot be held to. */
export interface SamplerFlags extends PartFlags {
  /** False where the same seed may give other responses, as from a server that takes none; default true. */
  readonly isSeeded?: boolean;
  /** False where sampling cannot be aborted; default true. */
  readonly honoursAbort?: boolean;
  /** Requests in place of the kit's own, at least two with different rows; for samplers of a certain vocabulary. */
  readonly requests?: readonly SamplingRequest[];
}
