/** A part of a message's content, such as a text; other kinds are for templates that know them. */
export interface ContentPart {
  readonly type: string;
  readonly text?: string | null | undefined;
  readonly [key: string]: unknown;
}

/** One turn of a conversation, with every key that its row has: tool calls, a name, a reasoning and whatever else. */
export interface ChatMessage {
  readonly role: string;
  /** A text, or parts; nothing where a turn only calls tools. */
  readonly content?: string | readonly ContentPart[] | null | undefined;
  readonly [key: string]: unknown;
}

/** What a message says, as people and judges read it: its text, then its tool calls as JSON, a line each. */
export function messageText({ content, tool_calls: calls }: ChatMessage): string {
  const text = typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join('');
  const called = Array.isArray(calls) ? calls.map((call) => JSON.stringify(call, plainInteger)) : [];
  return [...(text === '' && called.length > 0 ? [] : [text]), ...called].join('\n');
}

/** An integer of data that JSON.stringify does not take, as a number. */
const plainInteger = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

/** What a conversation has beside its messages. */
export interface ChatContext {
  /** Tools that may be called, as JSON schemas. */
  readonly tools?: readonly unknown[] | undefined;
  /** Further variables of the chat template, such as `enable_thinking: false`. */
  readonly templateArguments?: Readonly<Record<string, unknown>> | undefined;
}

/** How a conversation is rendered. */
export interface ChatOptions extends ChatContext {
  /** True to open an answer at the end. Default false. */
  readonly addGenerationPrompt?: boolean | undefined;
}

/** Text to token ids and back, and conversations to text, exactly as the model's own files say. */
export interface Tokenizer {
  /** Key of the tokenizer, its template and the template's date: equal keys mean equal ids. */
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
  renderChat(messages: readonly ChatMessage[], options?: ChatOptions): string;
}
