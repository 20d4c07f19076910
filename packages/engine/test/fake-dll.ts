/** A library for Windows, as latin1 text, that has nothing but a table of what it asks other libraries for. */
export function dllThatImports(imports: Readonly<Record<string, readonly string[]>>): string {
  const base = 0x1000;
  const image = Buffer.alloc(0x1200);
  image.write('MZ', 0, 'latin1');
  image.writeUInt32LE(64, 60);
  image.write('PE\0\0', 64, 'latin1');
  image.writeUInt16LE(1, 70);
  image.writeUInt16LE(240, 84);
  image.writeUInt32LE(base, 88 + 120);
  // The one section: its size, its address, its place in the file.
  for (const [index, value] of [0x1000, base, 0x1000, 0x200].entries()) {
    image.writeUInt32LE(value, 88 + 240 + 8 + 4 * index);
  }
  const body = image.subarray(0x200);
  let free = 20 * (Object.keys(imports).length + 1);
  const place = (text: string): number => {
    const at = free;
    free += body.write(`${text}\0`, at, 'latin1');
    return base + at;
  };
  for (const [index, [library, symbols]] of Object.entries(imports).entries()) {
    body.writeUInt32LE(place(library), 20 * index + 12);
    const names = symbols.map((symbol) => place(`\0\0${symbol}`));
    body.writeUInt32LE(base + free, 20 * index);
    for (const name of names) {
      body.writeBigUInt64LE(BigInt(name), free);
      free += 8;
    }
    free += 8;
  }
  return image.toString('latin1');
}
