import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeArrays } from './arrays-file.js';
import { openHeld } from './held-file.js';
import { openJournal, readJournal } from './journal.js';
import { lockDirectory } from './lock-directory.js';
import { openMetrics, readMetrics } from './metrics-file.js';
import { thisOwner } from './owner.js';
import { replaceDirectory } from './replace-directory.js';
import { writeAtomically } from './write-atomically.js';

let run: string;
let heard: number;
let unlock: () => Promise<void>;
const file = (name: string): string => join(run, name);
const takeAway = (): void => writeFileSync(file('run.lock'), JSON.stringify({ ...thisOwner(), lock: 'another' }));

beforeEach(async () => {
  run = mkdtempSync(join(tmpdir(), 'metaapo-held-'));
  heard = 0;
  // A heart that does not beat in a test's time.
  unlock = await lockDirectory(run, { beatMs: 3_600_000, onLost: () => void heard++ });
});
afterEach(async () => {
  await unlock();
  rmSync(run, { recursive: true, force: true });
});

it('writes nothing more into a directory that another process has taken', async () => {
  const journal = await openJournal(file('journal.jsonl'));
  await journal.append({ kind: 'a' });
  const metrics = await openMetrics(file('metrics.jsonl'), 0);
  await writeAtomically(file('recipe.yaml'), 'before');
  takeAway();
  const before = ['journal.jsonl', 'metrics.jsonl', 'recipe.yaml'].map((name) => readFileSync(file(name), 'utf8'));
  const writes: readonly (() => Promise<unknown>)[] = [
    () => journal.append({ kind: 'b' }),
    () => metrics.append(1, { loss: 1 }),
    () => writeAtomically(file('recipe.yaml'), 'after'),
    () => writeArrays(file('meta-learner.safetensors'), { w: { shape: [1], values: Float32Array.of(1) } }),
    () => replaceDirectory(file('checkpoint'), async (fresh) => writeFileSync(join(fresh, 'a'), '')),
    () => replaceDirectory(file('iterations/0/model'), async (fresh) => writeFileSync(join(fresh, 'a'), '')),
  ];
  for (const write of writes) await expect(write()).rejects.toThrow(/another process has taken this directory/);
  expect(heard).toBe(writes.length);
  expect(['journal.jsonl', 'metrics.jsonl', 'recipe.yaml'].map((name) => readFileSync(file(name), 'utf8'))).toEqual(
    before,
  );
  for (const name of ['meta-learner.safetensors', 'checkpoint', 'iterations/0/model']) {
    expect(existsSync(file(name))).toBe(false);
  }
});

it('reaches nothing of the next owner with a write that began before it was stopped', async () => {
  await (await openJournal(file('journal.jsonl'))).append({ kind: 'a' });
  await (await openMetrics(file('metrics.jsonl'), 0)).append(0, { loss: 1 });
  // A process stopped here has looked already.
  const names = ['journal.jsonl', 'journal.jsonl.end', 'metrics.jsonl'];
  const late = await Promise.all(names.map((name) => openHeld(file(name), 'r+')));
  await unlock();
  const next = await openJournal(file('journal.jsonl'));
  await openMetrics(file('metrics.jsonl'), 0);
  for (const handle of late) {
    await handle.truncate(0);
    await handle.writeFile('late');
    await handle.close();
  }
  await next.append({ kind: 'b' });
  await openJournal(file('journal.jsonl'));
  expect((await readJournal(file('journal.jsonl'))).map(({ kind }) => kind)).toEqual(['a', 'b']);
  expect(await readMetrics(file('metrics.jsonl'))).toEqual([{ step: 0, loss: 1 }]);
});

it('takes a lock that was deleted for a lost one, and writes elsewhere as ever', async () => {
  rmSync(file('run.lock'));
  await expect(writeAtomically(file('a'), '')).rejects.toThrow(/has taken/);
  const beside = `${run}-beside`;
  await writeAtomically(beside, 'x');
  rmSync(beside);
  await unlock();
  await writeAtomically(file('a'), 'x');
  expect(readFileSync(file('a'), 'utf8')).toBe('x');
});
