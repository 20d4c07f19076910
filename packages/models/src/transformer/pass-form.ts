import type { Executor, KernelName } from '@metaapo/engine';
import { COARSE_SIZES, FINE_SIZES, type SizeClasses } from './size-class.js';

/** How passes and batches are cut, filled up and computed: memory and speed, never results. */
export interface PassForm {
  readonly executor: Executor;
  /** Pieces that attention is computed in, one after the other. */
  readonly attentionPieces: number;
  /** Pieces that the prompts in a batch of generation and their sequences are cut into, each with places of one length. */
  readonly batchPieces: number;
  readonly sizes: SizeClasses;
  /** Fused kernels that programs call. */
  readonly kernels: ReadonlySet<KernelName>;
}

/** Rows of this length are computed in one form. */
const USUAL_ROW = 4096;

/**
 * The form of passes over rows of up to so many tokens. Attention is cut into 4 pieces up to 4096 tokens (the default), and
 * twice as many for each doubling. Where XLA compiles each size anew, there are a quarter as many pieces, and few sizes.
 */
export function passForm(
  executor: Executor,
  longestRow = USUAL_ROW,
  kernels: ReadonlySet<KernelName> = new Set(),
): PassForm {
  const pieces = 2 ** Math.max(0, Math.ceil(Math.log2(longestRow / USUAL_ROW)));
  return executor === 'xla'
    ? { executor, attentionPieces: pieces, batchPieces: 1, sizes: COARSE_SIZES, kernels }
    : { executor, attentionPieces: 4 * pieces, batchPieces: 4, sizes: FINE_SIZES, kernels };
}
