import type { ChatContext, ChatMessage } from './tokenizer.js';

/** Where a row came from, for error messages and journals. */
export interface RowOrigin {
  readonly file: string;
  /** 0-based row number inside the file. */
  readonly row: number;
}

/** A pair of the policy's own responses to a prompt, as token ids. */
export interface OnlinePair {
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
  /** How much better `chosen` was judged than `rejected`, where that is known: the difference of their rewards. */
  readonly margin?: number | undefined;
}

/** A preference as the data set states it, before tokenisation. */
export type PreferenceRow = RowOrigin & {
  /** Judge scores where the data set has them. */
  readonly scoreChosen?: number;
  readonly scoreRejected?: number;
} & (
    | {
        /** The whole history in `prompt`; the answer alone in `chosen` and `rejected`. */
        readonly form: 'messages';
        readonly prompt: readonly ChatMessage[];
        readonly chosen: readonly ChatMessage[];
        readonly rejected: readonly ChatMessage[];
        readonly chat?: ChatContext | undefined;
      }
    | { readonly form: 'text'; readonly prompt: string; readonly chosen: string; readonly rejected: string }
    | {
        readonly form: 'tokens';
        readonly prompt: Int32Array;
        readonly chosen: Int32Array;
        readonly rejected: Int32Array;
        readonly online?: readonly OnlinePair[];
      }
  );

/** A preference as token ids, ready for the trainer. */
export interface TokenizedPreference {
  /** 0-based number of the row in the data set, counted over all of its files before any row was dropped. */
  readonly row: number;
  readonly prompt: Int32Array;
  /**
   * What the chat template opens an answer with, such as `<think>`, where an answer of the data set does not begin with it:
   * new responses are sampled after it, and are trained with it as their beginning.
   */
  readonly opening?: Int32Array;
  /**
   * What the chat template writes behind the end of a turn, such as a line break, where `chosen` and `rejected` keep it: new
   * responses that ended by themselves are trained with it too.
   */
  readonly ending?: Int32Array;
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
  /** How much better `chosen` was judged than `rejected`, where that is known. */
  readonly margin?: number | undefined;
  /** Pairs of the policy's own responses; a row without any has none, or an empty list. */
  readonly online?: readonly OnlinePair[] | undefined;
}

/** What is known of a row before anything is sampled. */
export interface RowFeatures {
  /** Number of the row in its data set. */
  readonly row: number;
  readonly promptTokens: number;
  readonly chosenTokens: number;
  readonly rejectedTokens: number;
  /** How much better the data set judged the chosen response, where it says so. */
  readonly margin?: number | undefined;
}
