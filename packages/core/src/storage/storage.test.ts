import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
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

  it('is repaired by cutting off what a crash left, and is else only added to', async () => {
    const path = file('cut.jsonl');
    await (await openJournal(path)).append({ kind: 'a' }, { kind: 'b' });
    const whole = readFileSync(path, 'utf8');
    for (const left of ['{"kind":"c"}', '{"kind":"c"}\n', '\0\0\0']) {
      appendFileSync(path, left);
      const { ino } = statSync(path);
      const journal = await openJournal(path);
      expect(readFileSync(path, 'utf8')).toBe(whole);
      expect(statSync(path).ino).toBe(ino);
      expect(journal.entries).toHaveLength(2);
    }
    await (await openJournal(path)).append({ kind: 'c' });
    expect(readFileSync(path, 'utf8').startsWith(whole)).toBe(true);
    expect((await readJournal(path)).map(({ kind }) => kind)).toEqual(['a', 'b', 'c']);
  });

  it('refuses a line that was changed, whether whole lines or a cut one follow', async () => {
    const path = file('changed.jsonl');
    const journal = await openJournal(path);
    for (const value of [1, 2, 3]) await journal.append({ kind: 'reward', value });
    writeFileSync(path, readFileSync(path, 'utf8').replace('"value":2', '"value":9'));
    await expect(openJournal(path)).rejects.toThrow(/line 2.*checksum|checksum.*line 2/);
    await expect(readJournal(path)).rejects.toMatchObject({ code: 'data' });
    truncateSync(path, statSync(path).size - 4);
    await expect(openJournal(path)).rejects.toThrow(/line 2/);
  });

  it('keeps no more in memory than is asked for, and all in the file', async () => {
    const path = file('filtered.jsonl');
    const journal = await openJournal(path);
    await journal.append({ kind: 'keep', text: 'Grüße' }, { kind: 'drop' });
    expect((await openJournal(path, ({ kind }) => kind === 'keep')).entries).toMatchObject([{ text: 'Grüße' }]);
    expect(await readJournal(path)).toHaveLength(2);
    expect(await readJournal(path, ({ kind }) => kind === 'drop')).toHaveLength(1);
  });

  it('may be longer than a string, with lines longer than a piece that is read at once', async () => {
    const path = file('large.jsonl');
    await (await openJournal(path)).append({ kind: 'responses', text: 'x'.repeat(5e6) });
    const [line] = readFileSync(path, 'utf8').split('\n');
    const lines = Buffer.from(`${line}\n`.repeat(8));
    while (statSync(path).size < 540e6) appendFileSync(path, lines);
    appendFileSync(path, '{"kind":"ha');
    const { size } = statSync(path);
    const journal = await openJournal(path, () => false);
    expect(statSync(path).size).toBe(size - 11);
    await journal.append({ kind: 'end' });
    rmSync(path);
  }, 60_000);
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
