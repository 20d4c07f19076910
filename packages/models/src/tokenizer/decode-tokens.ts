import { z } from 'zod';

/** Tokens in, pieces of text out. */
type Decode = (tokens: readonly string[]) => readonly string[];

const count = z.int().min(0);
const strip = z.object({ type: z.literal('Strip'), content: z.string(), start: count, stop: count });
const metaspace = z.object({
  type: z.literal('Metaspace'),
  replacement: z.string().min(1),
  prepend_scheme: z.string().nullish(),
  add_prefix_space: z.boolean().nullish(),
});
const plain = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ByteLevel', 'ByteFallback', 'Fuse']) }),
  z.object({ type: z.literal('Replace'), pattern: z.object({ String: z.string() }), content: z.string() }),
  strip,
  metaspace,
  z.object({ type: z.literal('WordPiece'), prefix: z.string(), cleanup: z.boolean() }),
  z.object({ type: z.literal('BPEDecoder'), suffix: z.string().min(1) }),
]);

/** The decoders of tokenizer.json that are known. */
const decoder = z.union([plain, z.object({ type: z.literal('Sequence'), decoders: z.array(plain).max(100) })]);

type Stated = z.output<typeof decoder>;

/**
 * What turns the tokens of a response into its text, by the `decoder` of a tokenizer.json; without one they are joined by
 * spaces. No space is cleaned up: the text is what the ids say.
 * @returns `undefined` for a decoder that is not known
 */
export function tokenDecoder(stated: unknown): ((tokens: readonly string[]) => string) | undefined {
  if (stated === undefined || stated === null) return (tokens) => tokens.join(' ');
  const { data } = decoder.safeParse(stated);
  if (data === undefined) return undefined;
  const decode = decoderOf(data);
  return (tokens) => decode(tokens).join('');
}

function decoderOf(stated: Stated): Decode {
  switch (stated.type) {
    case 'ByteLevel':
      return byteLevel;
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Replace': {
      const { pattern, content } = stated;
      return (tokens) => tokens.map((token) => token.replaceAll(pattern.String, () => content));
    }
    case 'Strip':
      return (tokens) => tokens.map((token) => stripped(token, stated));
    case 'Metaspace':
      return withSpaces(stated);
    case 'WordPiece':
      return wordPiece(stated.prefix, stated.cleanup);
    case 'BPEDecoder':
      return suffixed(stated.suffix);
    case 'Sequence': {
      const decoders = stated.decoders.map(decoderOf);
      return (tokens) => decoders.reduce((pieces, decode) => decode(pieces), tokens);
    }
  }
}

const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });
const STRICT = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** The byte of each character that byte-level tokens are written in. */
const BYTES: ReadonlyMap<string, number> = new Map(byteAlphabet());

function byteAlphabet(): [string, number][] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isItself = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return [String.fromCharCode(isItself ? byte : next++), byte];
  });
}

function byteLevel(tokens: readonly string[]): readonly string[] {
  const parts = tokens.map((token) => {
    const bytes = [...token].map((character) => BYTES.get(character));
    return bytes.every((byte) => byte !== undefined) ? Buffer.from(bytes as number[]) : Buffer.from(token);
  });
  return [TEXT.decode(Buffer.concat(parts))];
}

function byteFallback(tokens: readonly string[]): readonly string[] {
  const pieces: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) pieces.push(...textOfBytes(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const hexadecimal = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (hexadecimal !== undefined) {
      bytes.push(Number.parseInt(hexadecimal, 16));
      continue;
    }
    flush();
    pieces.push(token);
  }
  flush();
  return pieces;
}

/** The text of a run of bytes; where it is no text, each of them is a replacement character. */
function textOfBytes(bytes: readonly number[]): readonly string[] {
  try {
    return [STRICT.decode(Uint8Array.from(bytes))];
  } catch {
    return bytes.map(() => '\uFFFD');
  }
}

function stripped(token: string, { content, start, stop }: z.output<typeof strip>): string {
  const characters = [...token];
  let first = 0;
  while (first < Math.min(start, characters.length) && characters[first] === content) first += 1;
  let last = characters.length;
  while (characters.length - last < stop && last > 0 && characters[last - 1] === content) last -= 1;
  return characters.slice(first, Math.max(first, last)).join('');
}

function withSpaces({ replacement, ...stated }: z.output<typeof metaspace>): Decode {
  const isPrepended = stated.prepend_scheme !== 'never' && stated.add_prefix_space !== false;
  return (tokens) => tokens.map((token, index) => token.replaceAll(replacement, index === 0 && isPrepended ? '' : ' '));
}

/** What a WordPiece decoder that cleans up writes in another way, in its order. */
const CLEANED = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

function wordPiece(prefix: string, isCleaned: boolean): Decode {
  const part = (token: string, index: number): string => {
    if (index === 0) return token;
    return token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
  };
  const clean = (text: string): string => CLEANED.reduce((kept, [from, to]) => kept.replaceAll(from, to), text);
  return (tokens) => tokens.map((token, index) => (isCleaned ? clean(part(token, index)) : part(token, index)));
}

function suffixed(suffix: string): Decode {
  return (tokens) => tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? '' : ' '));
}
