import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
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
  makeDirectory,
  openJournal,
  openMetrics,
  openSafetensors,
  readArrays,
  readJournal,
  readMetrics,
  recoverDirectory,
  removeJournal,
  replaceDirectory,
  requireSealed,
  sealDirectory,
  startHeartbeat,
  thisOwner,
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
      const journal = await openJournal(path);
      expect(readFileSync(path, 'utf8')).toBe(whole);
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

  it('notices lines that were taken out, doubled or moved, before anything is added', async () => {
    const path = file('moved.jsonl');
    const journal = await openJournal(path);
    for (const value of [1, 2, 3, 4]) await journal.append({ kind: 'reward', value });
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    const [a, b, c, d] = lines as [string, string, string, string];
    for (const changed of [
      [b, c, d],
      [a, c, d],
      [a, b, d],
      [a, b, b, c, d],
      [a, b, c, d, d],
      [a, c, b, d],
    ]) {
      writeFileSync(path, `${changed.join('\n')}\n`);
      await expect(openJournal(path)).rejects.toThrow(/follow the line before it/);
    }
  });

  it('notices lines that are missing at the end, until that is accepted', async () => {
    const path = file('short.jsonl');
    const journal = await openJournal(path);
    await journal.append({ kind: 'reward', value: 1 }, { kind: 'reward', value: 2 });
    await journal.append({ kind: 'reward', value: 3 });
    const whole = readFileSync(path, 'utf8');
    const lines = whole.trimEnd().split('\n');
    const other = lines[2]!.replace('"value":3', '"value":9');
    const cuts = [
      '',
      `${lines[0]}\n`,
      lines.slice(0, 2).join('\n'),
      whole.slice(0, -5),
      `${lines[0]}\n${lines[1]}\n${other}\n`,
    ];
    for (const cut of cuts) {
      writeFileSync(path, cut);
      await expect(openJournal(path)).rejects.toThrow(/missing at the end.*short\.jsonl\.end.*paid for again/);
      expect(readFileSync(path, 'utf8')).toBe(cut);
    }
    rmSync(path);
    await expect(openJournal(path)).rejects.toThrow(/missing at the end/);
    writeFileSync(path, `${lines[0]}\n`);
    rmSync(`${path}.end`);
    await (await openJournal(path)).append({ kind: 'reward', value: 4 });
    expect(await readJournal(path)).toHaveLength(2);
  });

  it('knows no end of a journal whose note of it was cut, and goes on after a crash before the note', async () => {
    const path = file('noted.jsonl');
    await (await openJournal(path)).append({ kind: 'a' });
    const before = readFileSync(`${path}.end`);
    await (await openJournal(path)).append({ kind: 'b' });
    writeFileSync(`${path}.end`, before);
    expect((await openJournal(path)).entries).toHaveLength(2);
    for (const left of ['', '{"lines":', '{"lines":2,"ch', '\0'.repeat(64)]) {
      writeFileSync(`${path}.end`, left);
      expect((await openJournal(path)).entries).toHaveLength(2);
    }
    writeFileSync(`${path}.end`, 'notes of mine');
    await expect(openJournal(path)).rejects.toThrow(/of something else/);
    expect(readFileSync(`${path}.end`, 'utf8')).toBe('notes of mine');
    rmSync(`${path}.end`);
    await (await openJournal(path)).append({ kind: 'c' });
    writeFileSync(path, '');
    await expect(openJournal(path)).rejects.toThrow(/missing at the end/);
    await removeJournal(path);
    expect((await openJournal(path)).entries).toEqual([]);
  });

  it('goes on with a journal of an older version, whose lines have a checksum of themselves alone', async () => {
    const path = file('older.jsonl');
    const old = [1, 2].map((value) => {
      const text = JSON.stringify({ kind: 'reward', value });
      const check = createHash('sha256').update(text).digest('hex').slice(0, 8);
      return `${text.slice(0, -1)},"check":"${check}"}`;
    });
    writeFileSync(path, `${old.join('\n')}\n`);
    await (await openJournal(path)).append({ kind: 'reward', value: 3 });
    expect((await readJournal(path)).map(({ value }) => value)).toEqual([1, 2, 3]);
    const added = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)!;
    writeFileSync(path, `${[old[0], added, old[1]].join('\n')}\n`);
    await expect(readJournal(path)).rejects.toMatchObject({ code: 'data' });
  });

  it('is begun anew after a crash in its first line, and never in a file that is something else', async () => {
    for (const left of ['{"ki', '{"kind":"start","ke', '\0\0']) {
      await removeJournal(file('begun.jsonl'));
      writeFileSync(file('begun.jsonl'), left);
      await (await openJournal(file('begun.jsonl'))).append({ kind: 'a' });
      expect(await readJournal(file('begun.jsonl'))).toHaveLength(1);
    }
    for (const text of ['notes of mine', '{"row":1}\n', 'a\nb\n']) {
      writeFileSync(file('mine.jsonl'), text);
      await expect(openJournal(file('mine.jsonl'))).rejects.toMatchObject({ code: 'data' });
      expect(readFileSync(file('mine.jsonl'), 'utf8')).toBe(text);
    }
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
    const writer = await openJournal(path);
    const entry = { kind: 'responses', text: 'y'.repeat(5e6) };
    while (statSync(path).size < 540e6) await writer.append(...Array.from({ length: 8 }, () => entry));
    appendFileSync(path, '{"kind":"ha');
    const { size } = statSync(path);
    const journal = await openJournal(path, () => false);
    expect(statSync(path).size).toBe(size - 11);
    await journal.append({ kind: 'end' });
    rmSync(path);
  }, 60_000);
});

describe('a sealed directory', () => {
  const sealed = async (): Promise<string> => {
    const directory = mkdtempSync(file('sealed-'));
    mkdirSync(join(directory, 'inner'));
    await writeArrays(join(directory, 'inner', 'a.safetensors'), { a: { shape: [1], values: Float32Array.of(1) } });
    writeFileSync(join(directory, 'progress.json'), '{"step":1}');
    await sealDirectory(directory);
    return directory;
  };

  it('is accepted as it was written', async () => {
    const directory = await sealed();
    await expect(requireSealed(directory)).resolves.toBeUndefined();
  });

  it.each([
    ['a changed file', (at: string) => writeFileSync(join(at, 'progress.json'), '{"step":2}'), /progress\.json/],
    ['a file too many', (at: string) => writeFileSync(join(at, 'more.json'), ''), /more\.json/],
    ['a file too few', (at: string) => rmSync(join(at, 'progress.json')), /progress\.json.*no such file/],
    ['no checksums', (at: string) => rmSync(join(at, 'checksums.json')), /checksums\.json/],
  ])('is refused with %s, with what to delete and what is lost', async (_, change, where) => {
    const directory = await sealed();
    change(directory);
    await expect(requireSealed(directory)).rejects.toThrow(where);
    await expect(requireSealed(directory)).rejects.toThrow(/Restore.*or delete it: .*begins/);
  });

  it("is refused with another run's numbers of the same shape", async () => {
    const directory = await sealed();
    await writeArrays(join(directory, 'inner', 'a.safetensors'), { a: { shape: [1], values: Float32Array.of(2) } });
    await expect(requireSealed(directory)).rejects.toThrow(/a\.safetensors/);
  });
});

describe('metrics', () => {
  it('are no file of one line without an end', async () => {
    const path = file('endless.jsonl');
    writeFileSync(path, '');
    truncateSync(path, 2 ** 28 + 1);
    await expect(readMetrics(path)).rejects.toThrow(/a line has no end. Expected lines of at most/);
  });

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

  it.each(['{"step":"1"}', '{"step":1,"loss":"low"}', '[1]', 'null', '{"step":', '{"step":-1}'])(
    'are no lines such as %s',
    async (line) => {
      writeFileSync(file('odd.jsonl'), `{"step":1}\n${line}\n{"step":2}\n`);
      await expect(readMetrics(file('odd.jsonl'))).rejects.toThrow(/odd\.jsonl, line 2: .*Restore/);
    },
  );
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

  it('leaves what lies beside a replaced directory alone, whatever its name', async () => {
    const target = file('beside/exp');
    for (const name of ['exp.old', 'exp.tmp', '.metaapo-mine']) {
      mkdirSync(file(`beside/${name}`), { recursive: true });
      writeFileSync(file(`beside/${name}/thesis.txt`), 'mine');
    }
    await replaceDirectory(target, async (fresh) => writeFileSync(join(fresh, 'a'), '1'));
    await replaceDirectory(target, async (fresh) => writeFileSync(join(fresh, 'a'), '2'));
    await recoverDirectory(target);
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('2');
    expect(readdirSync(file('beside')).sort()).toEqual(['.metaapo-mine', 'exp', 'exp.old', 'exp.tmp']);
    for (const name of ['exp.old', 'exp.tmp', '.metaapo-mine']) {
      expect(readFileSync(file(`beside/${name}/thesis.txt`), 'utf8')).toBe('mine');
    }
  });

  it('puts back what a killed process took away, and removes the rest of its directory', async () => {
    const [target, side] = [file('killed/exp'), file('killed/.metaapo-0')];
    mkdirSync(join(side, 'old'), { recursive: true });
    writeFileSync(join(side, 'old', 'a'), '1');
    const dead = { ...thisOwner(), pid: 2 ** 22 + 1 };
    writeFileSync(join(side, 'replaces.json'), JSON.stringify({ ...dead, replaces: 'exp' }));
    await recoverDirectory(target);
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('1');
    expect(readdirSync(file('killed'))).toEqual(['exp']);
  });

  it.runIf(existsSync('/proc/self'))('ends where no directory can be made', async () => {
    await expect(makeDirectory('/proc/none/of/these')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(lockDirectory('/proc/none')).rejects.toMatchObject({ code: 'ENOENT' });
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

  const lockOf = (owner: object): void => {
    mkdirSync(file('owned'), { recursive: true });
    writeFileSync(file('owned/run.lock'), JSON.stringify(owner));
  };

  it.each([
    ['another program has its process id now', { ...thisOwner(), startedAt: '1' }],
    ['its id is none', { ...thisOwner(), pid: 0 }],
    ['its id means all processes', { pid: -1, host: thisOwner().host }],
  ])('takes a lock over at once when %s', async (_, owner) => {
    lockOf(owner);
    await (await lockDirectory(file('owned')))();
  });

  it.each(['{"anything":1}', 'v1', '[]'])('leaves a file alone that is no lock: %s', async (content) => {
    mkdirSync(file('owned'), { recursive: true });
    writeFileSync(file('owned/run.lock'), content);
    await expect(lockDirectory(file('owned'))).rejects.toThrow(/of something else in the place of the lock/);
    expect(readFileSync(file('owned/run.lock'), 'utf8')).toBe(content);
    rmSync(file('owned/run.lock'));
  });

  it.each([
    ['another container', { ...thisOwner(), pid: 1, namespace: 'pid:[1]' }],
    ['an earlier start of the machine', { ...thisOwner(), pid: 1, boot: 'b' }],
    ['an older version', { pid: 1, host: thisOwner().host }],
  ])('takes over the lock of %s when its heart has stopped, and says that it waits', async (_, owner) => {
    lockOf(owner);
    const lines: string[] = [];
    const unlock = await lockDirectory(file('owned'), { staleMs: 100, report: (line) => lines.push(line) });
    expect(lines).toEqual([expect.stringContaining('run.lock')]);
    await unlock();
  });

  it('refuses a directory in which a process of another container works', async () => {
    lockOf({ ...thisOwner(), pid: 1, namespace: 'pid:[1]' });
    const content = readFileSync(file('owned/run.lock'), 'utf8');
    const end = startHeartbeat(file('owned/run.lock'), content, () => undefined, { beatMs: 20 });
    await expect(lockDirectory(file('owned'), { staleMs: 5_000 })).rejects.toThrow(/another process works/);
    await end();
    rmSync(file('owned/run.lock'));
  });

  it('tells a process that stood still that another one has its directory', async () => {
    let lost = (): void => undefined;
    const isLost = new Promise<void>((resolve) => {
      lost = resolve;
    });
    const unlock = await lockDirectory(file('owned'), { beatMs: 20, onLost: () => lost() });
    writeFileSync(file('owned/run.lock'), JSON.stringify({ ...thisOwner(), lock: 'another' }));
    await isLost;
    await unlock();
    expect(readFileSync(file('owned/run.lock'), 'utf8')).toContain('another');
  });
});
