import fc from 'fast-check';

/** Values that a parser which trusts its input stumbles over. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  0.5,
  1e308,
  2 ** 31,
  2 ** 53,
  -0,
  '',
  '__proto__',
  'constructor',
  '\u0000',
  '\ud800',
  '\u001b]0;x\u0007',
  'a'.repeat(10_000),
  '../../x',
  '(a+)+$',
  [],
  {},
  [[]],
  [null],
  { toString: 1 },
  { length: -1 },
  { type: 'x' },
  [null, {}, 'x', 5],
  Array.from({ length: 2000 }, (_, index) => index),
];

/** A value as JSON has it, a few places of it changed, taken out, added to or put in one another's place. */
export function mutatedJson(value: unknown): fc.Arbitrary<unknown> {
  const change = fc.record({
    at: fc.nat(),
    from: fc.nat(),
    kind: fc.nat(4),
    odd: fc.constantFrom(...ODD),
    key: fc.string(),
  });
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    const root = { value: structuredClone(value) };
    for (const { at, from, kind, odd, key } of changes) {
      const holders = holdersIn(root);
      const [holder, name] = holders[at % holders.length]!;
      const inner = valueIn(holder, name);
      if (kind === 0 && holder !== root) Reflect.deleteProperty(holder, name);
      else if (kind === 1 && typeof inner === 'object' && inner !== null) set(inner, key || '__proto__', odd);
      else if (kind === 2) set(holder, name, structuredClone(valueIn(...holders[from % holders.length]!)));
      else set(holder, name, structuredClone(odd));
    }
    return root.value;
  });
}

const valueIn = (holder: object, name: string): unknown => Object.getOwnPropertyDescriptor(holder, name)?.value;

/** Sets a key of the object's own, also where its prototype has one of that name. */
function set(holder: object, key: string, value: unknown): void {
  Reflect.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Places in a value, a few hundred at most. */
function holdersIn(value: object, most = 300): (readonly [object, string])[] {
  const found: (readonly [object, string])[] = [];
  const waiting = [value];
  for (const holder of waiting) {
    for (const [name, inner] of Object.entries(holder).slice(0, most)) {
      found.push([holder, name]);
      if (typeof inner === 'object' && inner !== null && found.length < most) waiting.push(inner as object);
    }
  }
  return found;
}

/** Bytes with a few of them changed, cut out, doubled or added, or with one of the given pieces put in. */
export function mutatedBytes(bytes: Uint8Array, pieces: readonly Uint8Array[] = []): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.oneof(
      fc.nat(),
      fc.nat(400).map((back) => -1 - back),
    ),
    kind: fc.nat(pieces.length === 0 ? 3 : 6),
    byte: fc.integer({ min: 0, max: 255 }),
    count: fc.nat(16),
  });
  return fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
    let mutated = Buffer.from(bytes);
    for (const { at, kind, byte, count } of changes) {
      const { length } = mutated;
      const place = length === 0 ? 0 : at < 0 ? Math.max(length + at, 0) : at % length;
      const [before, after] = [mutated.subarray(0, place), mutated.subarray(place)];
      if (kind === 0 && length > 0) mutated[place] = byte;
      else if (kind === 1) mutated = Buffer.concat([before, after.subarray(count)]);
      else if (kind === 2) mutated = Buffer.concat([before, after.subarray(0, count), after]);
      else if (kind > 3) mutated = Buffer.concat([before, pieces[byte % pieces.length]!, after]);
      else mutated = Buffer.concat([before, Buffer.alloc(count, byte), after]);
    }
    return mutated;
  });
}

/** The same of a text. */
export const mutatedText = (text: string, pieces: readonly string[] = []): fc.Arbitrary<string> =>
  mutatedBytes(
    Buffer.from(text),
    pieces.map((piece) => Buffer.from(piece)),
  ).map((bytes) => bytes.toString('utf8'));

/** A value of JSON as text, changed before or after it was written. */
export const mutatedJsonText = (value: unknown): fc.Arbitrary<string> =>
  fc.oneof(
    mutatedJson(value).map((mutated) => JSON.stringify(mutated) ?? ''),
    mutatedText(JSON.stringify(value), [
      '{',
      '[',
      '"',
      ',',
      ':',
      'null',
      '1e999',
      '\\u0000',
      '\\ud800',
      '"a":',
      '[[[[',
    ]),
  );
