import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { openJournal, readJournal, removeJournal } from './index.js';

const file = scratchDirectory();

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
