import type { ChatMessage } from '../contracts/index.js';

/** A prompt as people and servers read it. */
export interface RunPrompt {
  /** The conversation, where the row has one. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** The prompt as text; the rendered conversation where the row has one. */
  readonly text: string;
  /** Texts of the row's offline pair, for reports. */
  readonly offline?: { readonly chosen: string; readonly rejected: string } | undefined;
}
