import fc from 'fast-check';

/** Values that a parser which trusts its input stumbles over. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  0.5,
  1e308,
  2 ** 53,
  -0,
  '',
  '__proto__',
  'constructor',
  '\u0000',
  '\ud800',
  '\u001b]0;x\u0007',
  'a'.repeat(10_000),
  [],
  {},
  [[]],
  { toString: 1 },
  { length: -1 },
  [null, {}, 'x', 5],
];

/** A value as JSON has it, a few places of it changed, taken out or added to. */
export function mutatedJson(value: unknown): fc.Arbitrary<unknown> {
  const change = fc.record({ at: fc.nat(), kind: fc.nat(3), odd: fc.constantFrom(...ODD), key: fc.string() });
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    const root = { value: structuredClone(value) };
    for (const { at, kind, odd, key } of changes) {
      const holders = holdersIn(root);
      const [holder, name] = holders[at % holders.length]!;
      const inner = Object.getOwnPropertyDescriptor(holder, name)?.value as unknown;
      if (kind === 0 && holder !== root) Reflect.deleteProperty(holder, name);
      else if (kind === 1 && typeof inner === 'object' && inner !== null) set(inner, key || '__proto__', odd);
      else set(holder, name, structuredClone(odd));
    }
    return root.value;
  });
}

/** Sets a key of the object's own, also where its prototype has one of that name. */
function set(holder: object, key: string, value: unknown): void {
  Reflect.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function holdersIn(value: object): readonly (readonly [object, string])[] {
  return Object.entries(value).flatMap(([name, inner]): (readonly [object, string])[] => [
    [value, name],
    ...(typeof inner === 'object' && inner !== null ? holdersIn(inner) : []),
  ]);
}

/** Bytes with a few of them changed, cut out, doubled or added. */
export function mutatedBytes(bytes: Uint8Array): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.nat(),
    kind: fc.nat(3),
    byte: fc.integer({ min: 0, max: 255 }),
    count: fc.nat(16),
  });
  return fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
    let mutated = Buffer.from(bytes);
    for (const { at, kind, byte, count } of changes) {
      const place = mutated.length === 0 ? 0 : at % mutated.length;
      const [before, after] = [mutated.subarray(0, place), mutated.subarray(place)];
      if (kind === 0 && mutated.length > 0) mutated[place] = byte;
      else if (kind === 1) mutated = Buffer.concat([before, after.subarray(count)]);
      else if (kind === 2) mutated = Buffer.concat([before, after.subarray(0, count), after]);
      else mutated = Buffer.concat([before, Buffer.alloc(count, byte), after]);
    }
    return mutated;
  });
}

/** The same of a text. */
export const mutatedText = (text: string): fc.Arbitrary<string> =>
  mutatedBytes(Buffer.from(text)).map((bytes) => bytes.toString('utf8'));
