import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { lockDirectory, makeDirectory, startHeartbeat, thisOwner, writeAtomically } from './index.js';

const file = scratchDirectory();

describe('a lock', () => {
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
  ])('is taken over at once when %s', async (_, owner) => {
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
  ])('of %s is taken over when its heart has stopped, after it said that it waits', async (_, owner) => {
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
