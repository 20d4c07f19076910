import type { RowOrigin } from './preference-row.js';
import type { ChatContext, ChatMessage } from './tokenizer.js';

/** A demonstration as the data set states it, before tokenisation: a prompt with responses that are to be imitated. */
export type DemonstrationRow = RowOrigin &
  (
    | {
        readonly form: 'messages';
        /** Messages that are given: none of them is trained. Empty where the row is one conversation. */
        readonly prompt: readonly ChatMessage[];
        /** What follows: every message of the assistant is a response to all messages before it. */
        readonly messages: readonly ChatMessage[];
        readonly chat?: ChatContext | undefined;
      }
    | { readonly form: 'text'; readonly prompt: string; readonly response: string }
    | { readonly form: 'tokens'; readonly prompt: Int32Array; readonly response: Int32Array }
  );

/** One response with everything before it, as token ids. */
export interface TokenizedTurn {
  /** `[P]` prompt token ids, P >= 1: in a conversation the whole history with the template's opening of an answer. */
  readonly prompt: Int32Array;
  /** `[R]` response token ids, R >= 1, with what ends the response. */
  readonly response: Int32Array;
}

/** A demonstration as token ids, ready for the trainer. */
export interface TokenizedDemonstration {
  /** 0-based number of the row in the data set, counted over all of its files before any row was dropped. */
  readonly row: number;
  /** The responses that are trained, in order; at least one. */
  readonly turns: readonly TokenizedTurn[];
}
