import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { openSafetensors, readArrays, writeArrays, writeSafetensors } from './index.js';

const file = scratchDirectory();

describe('safetensors', () => {
  it('come back as they were written', async () => {
    const arrays = {
      a: { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
      b: { shape: [0], values: new Float32Array(0) },
    };
    await writeArrays(file('arrays.safetensors'), arrays);
    expect(await readArrays(file('arrays.safetensors'))).toEqual(arrays);
  });

  it('hold bfloat16 and metadata', async () => {
    const tensor = { name: 'w', shape: [2], dtype: 'BF16', read: async () => Float32Array.of(1.5, -2) } as const;
    await writeSafetensors(file('narrow.safetensors'), [tensor], { format: 'test' });
    const opened = await openSafetensors(file('narrow.safetensors'));
    expect(opened.metadata).toEqual({ format: 'test' });
    expect(await opened.read('w')).toEqual(Float32Array.of(1.5, -2));
    await opened.close();
  });

  it('are refused when cut, or when a header does not fit the file', async () => {
    await writeArrays(file('cut.safetensors'), { a: { shape: [64], values: new Float32Array(64) } });
    truncateSync(file('cut.safetensors'), 200);
    await expect(openSafetensors(file('cut.safetensors'))).rejects.toMatchObject({ code: 'checkpoint' });
    const header = JSON.stringify({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(file('lying.safetensors'), Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]));
    await expect(openSafetensors(file('lying.safetensors'))).rejects.toThrow(/lying\.safetensors/);
  });

  const written = (text: string, bytes: number): string => {
    const header = Buffer.from(text);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(file('strict.safetensors'), Buffer.concat([length, header, Buffer.alloc(bytes)]));
    return file('strict.safetensors');
  };
  const entry = (begin: number, end: number): string =>
    `{"dtype":"F32","shape":[${(end - begin) / 4}],"data_offsets":[${begin},${end}]}`;

  it.each([
    ['a tensor twice', `{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4],
    ['a tensor twice, once with an escape', `{"a":${entry(0, 4)},"\\u0061":${entry(4, 8)}}`, 8],
    ['a field twice', '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4],
    ['an overlap', `{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12],
    ['a gap', `{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12],
    ['a gap at the beginning', `{"a":${entry(4, 8)}}`, 8],
    ['bytes after the last tensor', `{"a":${entry(0, 4)}}`, 8],
    ['fewer bytes than its tensors', `{"a":${entry(0, 8)}}`, 4],
    ['three offsets', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', 4],
    ['a size with a decimal point', '{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', 4],
    ['a minus before zero', '{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', 0],
    [
      'sizes whose product is too large on the way to 0',
      '{"a":{"dtype":"F32","shape":[4503599627370496,4096,0],"data_offsets":[0,0]}}',
      0,
    ],
    ['a type that is no text', '{"a":{"dtype":{"toString":1},"shape":[1],"data_offsets":[0,4]}}', 4],
    ['a type named like a method', '{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,4]}}', 4],
    ['metadata that is no text', '{"__metadata__":{"format":1}}', 0],
    ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0],
    ['half a surrogate pair', `{"\\ud800":${entry(0, 4)}}`, 4],
    ['a byte order mark', '\uFEFF{}', 0],
    ['a space before it', ' {}', 0],
  ])('are refused with %s', async (_, header, bytes) => {
    await expect(openSafetensors(written(header, bytes))).rejects.toMatchObject({ code: 'checkpoint' });
  });

  it('are read in any order of their names, and with 200 000 of them', async () => {
    const one = await openSafetensors(written(`{"b":${entry(4, 8)},"a":${entry(0, 4)},"e":${entry(4, 4)}}  `, 8));
    expect([...one.tensors.keys()]).toEqual(['b', 'a', 'e']);
    await one.close();
    const many = Array.from({ length: 200_000 }, (_, index) => `"${index}":${entry(4 * index, 4 * index + 4)}`);
    const opened = await openSafetensors(written(`{${many.join(',')}}`, 800_000));
    expect(opened.tensors.size).toBe(200_000);
    await opened.close();
  }, 30_000);

  it('are refused when a number was changed, or another file lies in the place', async () => {
    const path = file('rotten.safetensors');
    const first = await writeArrays(path, { a: { shape: [2], values: Float32Array.of(1, 2) } });
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 0x40;
    writeFileSync(path, bytes);
    await expect(readArrays(path)).rejects.toThrow(/rotten\.safetensors: .*tensor a .*Restore/);
    const second = await writeArrays(path, { a: { shape: [2], values: Float32Array.of(1, 3) } });
    expect(second).not.toBe(first);
    const opened = await openSafetensors(path);
    expect(opened.digest).toBe(second);
    await opened.close();
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'are not written with %s, and the file stays as it was',
    async (value) => {
      const path = file('finite.safetensors');
      await writeArrays(path, { a: { shape: [1], values: Float32Array.of(1) } });
      const failing = writeArrays(path, { a: { shape: [2], values: Float32Array.of(0, value) } });
      await expect(failing).rejects.toMatchObject({ code: 'numerics' });
      expect((await readArrays(path)).a!.shape).toEqual([1]);
    },
  );

  it('are written as bfloat16 up to the last number that is not rounded to infinity', async () => {
    const path = file('largest.safetensors');
    const write = (bits: number): Promise<unknown> => {
      const values = new Float32Array(Uint32Array.of(bits).buffer);
      return writeSafetensors(path, [{ name: 'w', shape: [1], dtype: 'BF16', read: async () => values }]);
    };
    await write(0xff7f7fff);
    expect([...(await readArrays(path)).w!.values]).toEqual([-(2 ** 127) * (2 - 2 ** -7)]);
    await expect(write(0x7f7f8000)).rejects.toMatchObject({ code: 'numerics' });
  });
});
