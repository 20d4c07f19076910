/** A token that is matched in text before the model sees it, as tokenizer.json writes it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  /** Special tokens are left out of decoded text. */
  readonly special: boolean;
}

type JsonObject = Readonly<Record<string, unknown>>;
type Flags = Partial<Omit<AddedToken, 'id' | 'content'>>;

const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;

/** The special tokens that have a name, as chat templates see them; those without a token are absent. */
export type NamedTokens = Partial<Readonly<Record<(typeof NAMES)[number], string>>>;

/** The named special tokens of a tokenizer_config.json, each stated as a text or as an object with `content`. */
export function namedTokens(config: JsonObject): NamedTokens {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const content = contentOf(config[name]);
      return content === undefined ? [] : [[name, content]];
    }),
  );
}

/**
 * The added tokens of a tokenizer once its settings have spoken, in the order of their ids: those of tokenizer.json, with
 * the flags of `added_tokens_decoder` over theirs, and every named special token marked as special. A token that the
 * vocabulary lacks gets the next id. The rules are those of Python's transformers.
 * @param vocabulary ids of the model's own tokens
 */
export function addedTokens(
  tokenizer: JsonObject,
  config: JsonObject,
  vocabulary: ReadonlyMap<string, number>,
): readonly AddedToken[] {
  const tokens = new Map((tokenizer.added_tokens as AddedToken[] | undefined)?.map((token) => [token.content, token]));
  const own = new Map(tokens);
  const stated = statedTokens(config);
  const add = (content: string, flags: Flags): void => {
    if (content === '') return;
    const id = tokens.get(content)?.id ?? vocabulary.get(content) ?? nextId(tokens, vocabulary);
    tokens.set(content, { ...PLAIN, normalized: flags.special !== true, ...flags, id, content });
  };
  for (const [content, flags] of stated ?? []) add(content, flags);
  const known: ReadonlyMap<string, Flags> = stated ?? own;
  for (const token of [...NAMES.map((name) => config[name]), ...ownNames(config)]) {
    const content = contentOf(token) ?? '';
    add(content, { ...(known.get(content) ?? flagsOf(token)), special: true });
  }
  for (const token of listedTokens(config)) {
    const content = contentOf(token) ?? '';
    if (!tokens.has(content)) add(content, { ...flagsOf(token), special: true });
  }
  return [...tokens.values()].sort((first, second) => first.id - second.id);
}

const PLAIN = { single_word: false, lstrip: false, rstrip: false, special: false };

function statedTokens(config: JsonObject): ReadonlyMap<string, Flags> | undefined {
  const stated = config.added_tokens_decoder as Readonly<Record<string, AddedToken>> | undefined;
  if (stated === undefined) return undefined;
  const inOrder = Object.entries(stated).sort(([first], [second]) => Number(first) - Number(second));
  return new Map(inOrder.map(([, token]) => [token.content, flagsOf(token)]));
}

/** Special tokens under names of the model's own, such as `image_token`. */
function ownNames(config: JsonObject): readonly unknown[] {
  const isOwn = (name: string): boolean => name.endsWith('_token') && !(NAMES as readonly string[]).includes(name);
  const stated = extraTokens(config);
  return [
    ...Object.entries(config).flatMap(([name, value]) =>
      isOwn(name) && contentOf(value) !== undefined ? [value] : [],
    ),
    ...(Array.isArray(stated) ? [] : Object.values(stated)),
  ];
}

/** Special tokens without a name. One that is an added token already keeps its flags. */
function listedTokens(config: JsonObject): readonly unknown[] {
  const stated = extraTokens(config);
  return Array.isArray(stated) ? stated : [];
}

function extraTokens(config: JsonObject): object {
  const stated = config.extra_special_tokens ?? config.additional_special_tokens;
  return typeof stated === 'object' && stated !== null ? stated : [];
}

function contentOf(stated: unknown): string | undefined {
  const content = typeof stated === 'object' && stated !== null && 'content' in stated ? stated.content : stated;
  return typeof content === 'string' ? content : undefined;
}

function flagsOf(stated: unknown): Flags {
  if (typeof stated !== 'object' || stated === null) return {};
  const flags = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const;
  return Object.fromEntries(
    flags.flatMap((flag) => {
      const value = (stated as Flags)[flag];
      return value === undefined ? [] : [[flag, value]];
    }),
  );
}

function nextId(tokens: ReadonlyMap<string, AddedToken>, vocabulary: ReadonlyMap<string, number>): number {
  return Math.max(vocabulary.size, ...[...tokens.values()].map(({ id }) => id + 1));
}
