import type { RowOrigin } from './preference-row.js';
import type { ChatContext, ChatMessage } from './tokenizer.js';

/** A judged response as the data set states it, before tokenisation. */
export type UnpairedRow = RowOrigin & {
  /** True for a response that is wanted. */
  readonly isDesirable: boolean;
} & (
    | {
        readonly form: 'messages';
        readonly prompt: readonly ChatMessage[];
        /** The answer alone. */
        readonly completion: readonly ChatMessage[];
        readonly chat?: ChatContext | undefined;
      }
    | { readonly form: 'text'; readonly prompt: string; readonly completion: string }
    | { readonly form: 'tokens'; readonly prompt: Int32Array; readonly completion: Int32Array }
  );

/** A judged response as token ids, ready for the trainer. */
export interface TokenizedUnpaired {
  /** 0-based number of the row in the data set, counted over all of its files before any row was dropped. */
  readonly row: number;
  /** `[P]` prompt token ids, P >= 1. */
  readonly prompt: Int32Array;
  /** `[R]` response token ids, R >= 1. */
  readonly completion: Int32Array;
  /** True for a response that is wanted. */
  readonly isDesirable: boolean;
  /** `[M]` token ids of a response to another prompt, M >= 1: what the divergence from the reference is estimated on. */
  readonly mismatched: Int32Array;
}
