import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Writes what stands in for Python beside a library: TensorFlow's for Windows is one with its Python module, and cannot be
 * loaded without a `python3xx.dll`, though nothing that the C API does calls it. The file has the names that the library
 * asks for; each of them answers 0, as Python does where it is not running.
 * @returns its name; undefined where the library asks for no Python
 */
export async function standInForPython(library: string): Promise<string | undefined> {
  const asked = await importsOf(library, /^python3\d+\.dll$/i);
  if (asked === undefined) return undefined;
  await writeFile(join(dirname(library), asked.name), dllOf(asked.name, asked.symbols));
  return asked.name;
}

interface Import {
  readonly name: string;
  readonly symbols: readonly string[];
}

/** Portable Executable format, "Optional Header Data Directories" and "The .idata Section". */
async function importsOf(file: string, wanted: RegExp): Promise<Import | undefined> {
  const handle = await open(file);
  try {
    const image = await openImage(handle);
    for (let at = image.imports; ; at += 20) {
      const descriptor = await image.read(at, 20);
      if (descriptor.readUInt32LE(12) === 0) return undefined;
      const name = await image.text(descriptor.readUInt32LE(12));
      if (!wanted.test(name)) continue;
      const symbols: string[] = [];
      for (let entry = descriptor.readUInt32LE(0); ; entry += 8) {
        const nameAt = Number((await image.read(entry, 8)).readBigUInt64LE() & 0x7fffffffn);
        if (nameAt === 0) return { name, symbols };
        symbols.push(await image.text(nameAt + 2));
      }
    }
  } finally {
    await handle.close();
  }
}

/** Reads a library by the addresses that it has in memory. */
async function openImage(handle: FileHandle): Promise<{
  readonly imports: number;
  read(address: number, length: number): Promise<Buffer>;
  text(address: number): Promise<string>;
}> {
  const readFile = async (position: number, length: number): Promise<Buffer> => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
  const header = (await readFile(60, 4)).readUInt32LE();
  const coff = await readFile(header + 4, 20);
  const optional = await readFile(header + 24, coff.readUInt16LE(16));
  const table = await readFile(header + 24 + optional.length, 40 * coff.readUInt16LE(2));
  const sections = Array.from({ length: table.length / 40 }, (_, index) => {
    const at = 40 * index;
    return {
      size: table.readUInt32LE(at + 8),
      address: table.readUInt32LE(at + 12),
      position: table.readUInt32LE(at + 20),
    };
  });
  const read = (address: number, length: number): Promise<Buffer> => {
    const section = sections.find((one) => address >= one.address && address < one.address + one.size);
    if (section === undefined) throw new Error(`${address} is in no section of the library`);
    return readFile(section.position + address - section.address, length);
  };
  const text = async (address: number): Promise<string> => {
    const bytes = await read(address, 256);
    return bytes.toString('latin1', 0, bytes.indexOf(0));
  };
  return { imports: optional.readUInt32LE(120), read, text };
}

const PAGE = 0x1000;
const DATA_NAME = /_Type$|^PyExc_|Struct$/;
/** `xor eax, eax; ret` */
const ANSWER_ZERO = Buffer.from([0x31, 0xc0, 0xc3]);

/** A library for Windows x64 with these names: functions that answer 0, and zeros where the names are of data. */
function dllOf(name: string, symbols: readonly string[]): Buffer {
  const [code, data, exports] = [PAGE, 2 * PAGE, 3 * PAGE];
  const table = exportTable(name, [...new Set(symbols)].sort(), exports, (symbol) =>
    DATA_NAME.test(symbol) ? data : code,
  );
  const sections = [
    { name: '.text', address: code, bytes: ANSWER_ZERO, flags: 0x60000020 },
    { name: '.data', address: data, bytes: Buffer.alloc(512), flags: 0xc0000040 },
    { name: '.edata', address: exports, bytes: table, flags: 0x40000040 },
  ];
  const headers = Buffer.alloc(512);
  headers.write('MZ', 0, 'latin1');
  headers.writeUInt32LE(64, 60);
  headers.write('PE\0\0', 64, 'latin1');
  headers.writeUInt16LE(0x8664, 68);
  headers.writeUInt16LE(sections.length, 70);
  headers.writeUInt16LE(240, 84);
  // An executable image that knows large addresses and is a library.
  headers.writeUInt16LE(0x2022, 86);
  writeOptionalHeader(headers.subarray(88), exports, table.length);
  let position = 512;
  const bodies = sections.map(({ name: title, address, bytes, flags }, index) => {
    const at = 88 + 240 + 40 * index;
    const body = Buffer.concat([bytes], aligned(bytes.length, 512));
    headers.write(title, at, 'latin1');
    headers.writeUInt32LE(bytes.length, at + 8);
    headers.writeUInt32LE(address, at + 12);
    headers.writeUInt32LE(body.length, at + 16);
    headers.writeUInt32LE(position, at + 20);
    headers.writeUInt32LE(flags, at + 36);
    position += body.length;
    return body;
  });
  return Buffer.concat([headers, ...bodies]);
}

function writeOptionalHeader(header: Buffer, exports: number, exportBytes: number): void {
  header.writeUInt16LE(0x20b, 0);
  header.writeUInt32LE(PAGE, 20);
  header.writeBigUInt64LE(0x180000000n, 24);
  header.writeUInt32LE(PAGE, 32);
  header.writeUInt32LE(512, 36);
  header.writeUInt16LE(6, 40);
  header.writeUInt16LE(6, 48);
  header.writeUInt32LE(exports + aligned(exportBytes, PAGE), 56);
  header.writeUInt32LE(512, 60);
  // A console's; its address may be any, and its data are not run.
  header.writeUInt16LE(3, 68);
  header.writeUInt16LE(0x160, 70);
  for (const [index, bytes] of [0x100000, PAGE, 0x100000, PAGE].entries()) {
    header.writeBigUInt64LE(BigInt(bytes), 72 + 8 * index);
  }
  header.writeUInt32LE(16, 108);
  header.writeUInt32LE(exports, 112);
  header.writeUInt32LE(exportBytes, 116);
}

/** "Export Directory Table": addresses, pointers to names in their order, ordinals, names. */
function exportTable(
  name: string,
  symbols: readonly string[],
  base: number,
  addressOf: (symbol: string) => number,
): Buffer {
  const count = symbols.length;
  const [addresses, pointers, ordinals, names] = [40, 40 + 4 * count, 40 + 8 * count, 40 + 10 * count];
  const texts = [name, ...symbols].map((text) => Buffer.from(`${text}\0`, 'latin1'));
  const table = Buffer.concat([Buffer.alloc(names), ...texts]);
  table.writeUInt32LE(base + names, 12);
  for (const [index, value] of [1, count, count, base + addresses, base + pointers, base + ordinals].entries()) {
    table.writeUInt32LE(value, 16 + 4 * index);
  }
  let at = names + texts[0]!.length;
  for (const [index, symbol] of symbols.entries()) {
    table.writeUInt32LE(addressOf(symbol), addresses + 4 * index);
    table.writeUInt32LE(base + at, pointers + 4 * index);
    table.writeUInt16LE(index, ordinals + 2 * index);
    at += texts[index + 1]!.length;
  }
  return table;
}

function aligned(length: number, unit: number): number {
  return Math.ceil(length / unit) * unit;
}
