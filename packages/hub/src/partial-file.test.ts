import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { claimPartial, releasePartial } from './partial-file.js';

const host = hostname().replaceAll(/[^\w-]/g, '_');

/** Another process that lives until its input ends. */
function otherProcess() {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  onTestFinished(() => void child.kill());
  return { pid: child.pid!, end: () => Promise.all([once(child, 'exit'), child.stdin.end()]) };
}

it('waits for a living process and finds its blob', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  writeFileSync(`${blob}.${host}-${otherProcess().pid}.incomplete`, 'half');
  const claim = claimPartial(blob, undefined);
  writeFileSync(blob, 'whole');
  expect(await claim).toBeUndefined();
});

it('goes on with what a process left when it ended', async () => {
  const directory = temporaryDirectory();
  const blob = join(directory, 'b10b');
  const { pid, end } = otherProcess();
  writeFileSync(`${blob}.${host}-${pid}.incomplete`, 'half');
  const claim = claimPartial(blob, undefined);
  await end();
  const partial = await claim;
  expect(readFileSync(partial!, 'utf8')).toBe('half');
  expect(readdirSync(directory)).toHaveLength(1);
});

it('leaves files of other machines and of other programs alone', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  for (const owner of ['elsewhere-1', '0a1b2c3d']) writeFileSync(`${blob}.${owner}.incomplete`, 'half');
  expect(existsSync((await claimPartial(blob, undefined))!)).toBe(false);
});

it('gives a partial file to one claimant', async () => {
  const blob = join(temporaryDirectory(), 'b10b');
  const partial = await claimPartial(blob, undefined);
  writeFileSync(partial!, 'half');
  await releasePartial(blob, partial!);
  expect(readFileSync((await claimPartial(blob, undefined))!, 'utf8')).toBe('half');
});
