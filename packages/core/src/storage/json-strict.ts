/** What makes a JSON text one that readers of other languages may take for something else, or refuse. */
export type JsonFault = { readonly summary: string; readonly at: number };

const NUMBER = /-?\d[\d.eE+-]*/y;
const DEPTH = 16;

/**
 * The first fault of a JSON text that `JSON.parse` accepts: a key that comes twice, a lone half of a surrogate pair, a
 * number that is no plain whole one, or too many levels. `undefined` where there is none.
 */
export function strictJsonFault(text: string): JsonFault | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; ) {
    const character = text[at]!;
    if (character === '"') {
      const token = text.slice(at, endOfString(text, at));
      const value = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
      if (token.includes('\\') && /\p{Surrogate}/u.test(value)) return { summary: 'half a surrogate pair', at };
      at += token.length;
      const keys = open.at(-1);
      if (keys === undefined || !isKey(text, at)) continue;
      if (keys.has(value)) return { summary: `the key ${JSON.stringify(value).slice(0, 80)} comes twice`, at };
      keys.add(value);
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      NUMBER.lastIndex = at;
      const token = NUMBER.exec(text)![0];
      if (!/^(0|[1-9]\d*)$/.test(token)) return { summary: `${token.slice(0, 40)} is no whole number`, at };
      at += token.length;
    } else {
      if (character === '{' || character === '[') open.push(character === '{' ? new Set() : undefined);
      if (character === '}' || character === ']') open.pop();
      if (open.length > DEPTH) return { summary: 'too many levels', at };
      at += 1;
    }
  }
  return undefined;
}

/** True where a colon follows: the string before it is a key. */
function isKey(text: string, after: number): boolean {
  let at = after;
  while (' \t\n\r'.includes(text[at] ?? '?')) at += 1;
  return text[at] === ':';
}

/** The place after the closing quote: one before which the number of backslashes is even. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at + 1;
  }
}
