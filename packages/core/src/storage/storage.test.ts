import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  bfloat16FromFloat32,
  float32FromBfloat16,
  float32FromFloat16,
  lockDirectory,
  openJournal,
  openMetrics,
  openSafetensors,
  readArrays,
  readJournal,
  replaceDirectory,
  writeArrays,
  writeAtomically,
  writeSafetensors,
} from './index.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-storage-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string): string => join(directory, name);

describe('float formats', () => {
  it('convert exactly, and round to the nearest even bfloat16', () => {
    expect([...float32FromFloat16(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00))]).toEqual([
      1,
      -2,
      2 ** -24,
      Infinity,
    ]);
    expect([...float32FromBfloat16(Uint16Array.of(0x3f80, 0xc040))]).toEqual([1, -3]);
    // 1 + 2^-8 lies between 1 and 1 + 2^-7: the even one is 1; 1 + 3 * 2^-8 goes up.
    const rounded = bfloat16FromFloat32(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, Number.NaN));
    expect([...float32FromBfloat16(rounded)]).toEqual([1, 1 + 2 ** -6, Number.NaN]);
  });
});

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
});

describe('a journal', () => {
  it('gives back what was appended, and drops a line that a crash cut', async () => {
    const path = file('journal.jsonl');
    const journal = await openJournal(path);
    await Promise.all([journal.append({ kind: 'a', row: 1 }), journal.append({ kind: 'b' }, { kind: 'c' })]);
    appendFileSync(path, '{"kind":"half","ro');
    const again = await openJournal(path);
    expect(again.entries).toEqual(
      [{ kind: 'a', row: 1, check: undefined }, { kind: 'b' }, { kind: 'c' }].map(({ kind, ...rest }) =>
        expect.objectContaining('row' in rest ? { kind, row: 1 } : { kind }),
      ),
    );
    expect(readFileSync(path, 'utf8')).not.toContain('half');
    expect(await readJournal(path)).toHaveLength(3);
    expect(await readJournal(file('absent.jsonl'))).toEqual([]);
  });

  it('refuses a line that was changed', async () => {
    const path = file('changed.jsonl');
    const journal = await openJournal(path);
    await journal.append({ kind: 'reward', value: 1 });
    await journal.append({ kind: 'reward', value: 2 });
    writeFileSync(path, readFileSync(path, 'utf8').replace('"value":1', '"value":9'));
    await expect(openJournal(path)).rejects.toThrow(/line 1.*checksum|checksum.*line 1/);
  });

  it('can be opened without some of its entries', async () => {
    const path = file('filtered.jsonl');
    const journal = await openJournal(path);
    await journal.append({ kind: 'keep' }, { kind: 'drop' });
    expect((await openJournal(path, ({ kind }) => kind === 'keep')).entries).toHaveLength(1);
    expect(await readJournal(path)).toHaveLength(1);
  });
});

describe('metrics', () => {
  it('go on from a step, without the lines after it', async () => {
    const path = file('metrics.jsonl');
    const first = await openMetrics(path, 0);
    for (const step of [1, 2, 3]) await first.append(step, { loss: step });
    const second = await openMetrics(path, 2);
    await second.append(3, { loss: 30 });
    const losses = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).loss);
    expect(losses).toEqual([1, 2, 30]);
  });
});

describe('writing', () => {
  it('replaces a file or a directory as a whole, or not at all', async () => {
    await writeAtomically(file('text'), 'old');
    await writeAtomically(file('text'), 'new');
    expect(readFileSync(file('text'), 'utf8')).toBe('new');
    const target = file('model');
    await replaceDirectory(target, async (fresh) => writeFileSync(join(fresh, 'a'), '1'));
    const failing = replaceDirectory(target, async (fresh) => {
      writeFileSync(join(fresh, 'b'), '2');
      throw new Error('the disk is full');
    });
    await expect(failing).rejects.toThrow('the disk is full');
    expect(existsSync(join(target, 'a'))).toBe(true);
    expect(existsSync(join(target, 'b'))).toBe(false);
  });

  it('locks a directory against a second process, and gives it back', async () => {
    const unlock = await lockDirectory(file('run'));
    await expect(lockDirectory(file('run'))).rejects.toMatchObject({ code: 'config' });
    await unlock();
    await (await lockDirectory(file('run')))();
  });

  it('leaves no empty directory behind, but one with something in it', async () => {
    await (await lockDirectory(file('made/run')))();
    expect(existsSync(file('made'))).toBe(false);
    const unlock = await lockDirectory(file('made/run'));
    await writeAtomically(file('made/run/metrics.jsonl'), '');
    await unlock();
    expect(existsSync(file('made/run/metrics.jsonl'))).toBe(true);
  });
});
