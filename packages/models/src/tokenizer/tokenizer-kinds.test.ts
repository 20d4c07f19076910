import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type LoadedTokenizer, loadTokenizer } from './load-tokenizer.js';

const FIXTURES = new URL('../../../../fixtures/tokenizers/', import.meta.url).pathname;
const read = (name: string) => JSON.parse(readFileSync(`${FIXTURES}${name}`, 'utf8'));
const {
  seed,
  texts: count,
  block,
  kinds,
} = read('kinds.json') as {
  seed: number;
  texts: number;
  block: number;
  kinds: Record<string, string[]>;
};
const { pieces, ranges } = read('texts.json') as { pieces: string[]; ranges: [number, number][] };
const TEXTS = drawTexts();

/** What no engine but the native one computes exactly. */
const NATIVE_ONLY = [
  'possessive',
  'metaspace-split',
  'merged-with-previous',
  'unigram-split',
  'unigram-bytes',
  'word-piece',
  'added-with-flags',
];

it.each(Object.keys(kinds))(
  'the native engine gives ids and texts of the Python library: %s',
  async (kind) => {
    const tokenizer = await loadTokenizer(`${FIXTURES}${kind}`, { engine: 'native' });
    expect(await digestsOf(tokenizer)).toEqual(kinds[kind]);
    expect(tokenizer.encode(TEXTS[0]!)).toEqual((await tokenizer.encodeBatch([TEXTS[0]!]))[0]);
  },
  60_000,
);

it.each(Object.keys(kinds).filter((kind) => !NATIVE_ONLY.includes(kind)))(
  'the embedded engine gives them too: %s',
  async (kind) => {
    const tokenizer = await loadTokenizer(`${FIXTURES}${kind}`, { engine: 'embedded' });
    expect(await digestsOf(tokenizer)).toEqual(kinds[kind]);
  },
  60_000,
);

it.each(NATIVE_ONLY)(
  'the embedded engine refuses what it does not compute exactly, and names the native one: %s',
  async (kind) => {
    await expect(loadTokenizer(`${FIXTURES}${kind}`, { engine: 'embedded' })).rejects.toThrow(/npm install tokenizers/);
  },
);

async function digestsOf(tokenizer: LoadedTokenizer): Promise<string[]> {
  const encoded = await tokenizer.encodeBatch(TEXTS, { addSpecialTokens: true });
  return Array.from({ length: count / block }, (_, at) => {
    const digest = createHash('sha256');
    for (const ids of encoded.slice(at * block, (at + 1) * block)) {
      const whole = tokenizer.decode(ids, { keepSpecialTokens: true });
      digest.update(`${ids.join(',')}\n${whole}\n${tokenizer.decode(ids)}\n`);
    }
    return digest.digest('hex').slice(0, 12);
  });
}

/** The texts that the script drew, by the same generator. */
function drawTexts(): string[] {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % limit;
  };
  const part = (): string => {
    if (below(4) > 0) return pieces[below(pieces.length)]!;
    const [first, last] = ranges[below(ranges.length)]!;
    return String.fromCodePoint(first + below(last - first + 1));
  };
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(24) }, part).join(''));
}
