import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ownerName, thisOwner } from '@metaapo/core/storage';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { claimPartial, releasePartial } from './partial-file.js';

/** Another process that lives until its input ends, and the name of a partial file of its. */
function otherProcess() {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void child.kill());
  const line = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
  const startedAt = line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  const owner = ownerName({ ...thisOwner(), pid: child.pid!, startedAt });
  return { owner, end: () => Promise.all([once(child, 'exit'), child.stdin.end()]) };
}

it('waits for a living process and finds its blob', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  writeFileSync(`${blob}.${otherProcess().owner}.incomplete`, 'half');
  const claim = claimPartial(blob);
  writeFileSync(blob, 'whole');
  expect(await claim).toBeUndefined();
});

it('goes on with what a process left when it ended', async () => {
  const directory = temporaryDirectory();
  const blob = join(directory, 'b10b');
  const { owner, end } = otherProcess();
  writeFileSync(`${blob}.${owner}.incomplete`, 'half');
  const claim = claimPartial(blob, { patienceMs: 2_000 });
  await end();
  const partial = await claim;
  expect(readFileSync(partial!, 'utf8')).toBe('half');
  expect(readdirSync(directory)).toHaveLength(1);
});

it('leaves files of other machines and of other programs alone', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  for (const owner of ['elsewhere-1', '0a1b2c3d']) writeFileSync(`${blob}.${owner}.incomplete`, 'half');
  expect(existsSync((await claimPartial(blob))!)).toBe(false);
});

it('gives a partial file to one claimant', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  const partial = await claimPartial(blob);
  writeFileSync(partial!, 'half');
  await releasePartial(blob, partial!);
  expect(readFileSync((await claimPartial(blob))!, 'utf8')).toBe('half');
});

it('takes over what a process of another container left, once no byte comes any more, and says that it waits', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  const elsewhere = ownerName({ ...thisOwner(), pid: 1, namespace: 'pid:[1]' });
  const older = `${hostname().replaceAll(/[^\w-]/g, '_')}-1`;
  for (const owner of [elsewhere, older]) {
    writeFileSync(`${blob}.${owner}.incomplete`, 'half');
    const lines: string[] = [];
    const partial = await claimPartial(blob, { staleMs: 100, report: (line) => lines.push(line) });
    expect(readFileSync(partial!, 'utf8')).toBe('half');
    expect(lines).toEqual([expect.stringContaining('Waiting')]);
    rmSync(partial!);
  }
});

it('ends the wait for a process that lives and gets on no more', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  writeFileSync(`${blob}.${otherProcess().owner}.incomplete`, 'half');
  await expect(claimPartial(blob, { patienceMs: 100 })).rejects.toMatchObject({ code: 'network' });
});
