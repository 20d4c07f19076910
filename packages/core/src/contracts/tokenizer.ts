/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** Text to token ids and back, and conversations to text, exactly as the model's own files say. */
export interface Tokenizer {
  /** Key of the tokenizer and its template: equal keys mean equal ids. */
  readonly fingerprint: string;
  /** Number of ids, special and added ones included. */
  readonly vocabularySize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly padTokenId: number | undefined;
  /** True when there is a chat template. */
  readonly hasChatTemplate: boolean;
  /** Token ids of a text. With `addSpecialTokens` the post-processor (BOS and the like) runs. Default false. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): Int32Array;
  /** Token ids of many texts, each as `encode` gives them, computed side by side. */
  encodeBatch?(texts: readonly string[], options?: { readonly addSpecialTokens?: boolean }): Promise<Int32Array[]>;
  /** Text of token ids, no space taken from it. Special tokens are left out unless `keepSpecialTokens`. */
  decode(ids: ArrayLike<number>, options?: { readonly keepSpecialTokens?: boolean }): string;
  /**
   * A conversation rendered by the chat template.
   * @throws MetaapoError with code `data` when the template refuses the messages, `config` when there is no template.
   */
  renderChat(messages: readonly ChatMessage[], options?: { readonly addGenerationPrompt?: boolean }): string;
}
