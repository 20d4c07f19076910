import { readFileSync } from 'node:fs';

/** Names that a library of Linux, macOS (arm64) or Windows exports, as C names them. */
export function exportedSymbols(file: string): Set<string> {
  const image = readFileSync(file);
  const start = image.toString('latin1', 0, 4);
  if (start === '\x7fELF') return elfExports(image);
  if (start === '\xcf\xfa\xed\xfe') return machExports(image);
  if (start.startsWith('MZ')) return peExports(image);
  throw new Error(`${file} is no library`);
}

/** Names that a Linux library asks other libraries for. */
export function undefinedSymbols(file: string): Set<string> {
  return elfSymbols(readFileSync(file), (section) => section === 0);
}

const textAt = (image: Buffer, at: number): string => image.toString('latin1', at, image.indexOf(0, at));

const elfExports = (image: Buffer): Set<string> => elfSymbols(image, (section) => section !== 0);

function elfSymbols(image: Buffer, accept: (section: number) => boolean): Set<string> {
  const headers = Number(image.readBigUInt64LE(40));
  const sections = Array.from({ length: image.readUInt16LE(60) }, (_, index) => {
    const at = headers + 64 * index;
    const [offset, size] = [Number(image.readBigUInt64LE(at + 24)), Number(image.readBigUInt64LE(at + 32))];
    return { type: image.readUInt32LE(at + 4), offset, size, link: image.readUInt32LE(at + 40) };
  });
  const dynamic = sections.find(({ type }) => type === 11)!;
  const names = sections[dynamic.link]!.offset;
  const found = new Set<string>();
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 24) {
    if (accept(image.readUInt16LE(at + 6))) found.add(textAt(image, names + image.readUInt32LE(at)));
  }
  return found;
}

function machExports(image: Buffer): Set<string> {
  const found = new Set<string>();
  for (let at = 32, left = image.readUInt32LE(16); left > 0; left -= 1) {
    const command = image.readUInt32LE(at);
    // LC_DYLD_EXPORTS_TRIE has the trie alone, LC_DYLD_INFO_ONLY has it as its last part.
    const field = command === 0x80000033 ? at + 8 : command === 0x80000022 ? at + 40 : undefined;
    if (field !== undefined) {
      const offset = image.readUInt32LE(field);
      walkTrie(image.subarray(offset, offset + image.readUInt32LE(field + 4)), 0, '', found);
    }
    at += image.readUInt32LE(at + 4);
  }
  return found;
}

/** A node: bytes of what it exports, then the number of edges, each a text and the place of its node. */
function walkTrie(trie: Buffer, node: number, prefix: string, found: Set<string>): void {
  const [size, start] = uleb(trie, node);
  if (size > 0) found.add(prefix.slice(1));
  let at = start + size + 1;
  for (let left = trie[start + size]!; left > 0; left -= 1) {
    const text = textAt(trie, at);
    const [child, next] = uleb(trie, at + text.length + 1);
    walkTrie(trie, child, prefix + text, found);
    at = next;
  }
}

function uleb(bytes: Buffer, start: number): [value: number, next: number] {
  let value = 0;
  for (let at = start, unit = 1; ; at += 1, unit *= 128) {
    value += (bytes[at]! & 127) * unit;
    if (bytes[at]! < 128) return [value, at + 1];
  }
}

function peExports(image: Buffer): Set<string> {
  const header = image.readUInt32LE(60);
  const table = header + 24 + image.readUInt16LE(header + 20);
  const sections = Array.from({ length: image.readUInt16LE(header + 6) }, (_, index) => table + 40 * index);
  const place = (address: number): number => {
    const section = sections.find((at) => {
      const start = image.readUInt32LE(at + 12);
      return address >= start && address < start + image.readUInt32LE(at + 8);
    })!;
    return address - image.readUInt32LE(section + 12) + image.readUInt32LE(section + 20);
  };
  const directory = place(image.readUInt32LE(header + 24 + 112));
  const names = place(image.readUInt32LE(directory + 32));
  return new Set(
    Array.from({ length: image.readUInt32LE(directory + 24) }, (_, index) =>
      textAt(image, place(image.readUInt32LE(names + 4 * index))),
    ),
  );
}
