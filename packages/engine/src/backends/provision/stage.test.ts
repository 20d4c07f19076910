import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownerName, thisOwner } from '@metaapo/core/storage';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { write } from '../../../test/fake-machine.js';
import { createStage, linkOrCopyTree, putInPlace } from './stage.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'metaapo-stage-test-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** No process has this id: it is beyond the largest that Linux gives. */
const NO_PROCESS = 2 ** 22 + 1;

it('replaces directories and keeps the old ones in the stage', async () => {
  write(join(root, 'deps', 'old'), 'old');
  const stage = await createStage(root);
  write(join(stage, 'deps', 'new'), 'new');
  write(join(stage, 'lib', 'new'), 'new');
  await putInPlace(stage, root, ['deps', 'lib']);
  expect([readdirSync(join(root, 'deps')), readdirSync(join(root, 'lib'))]).toEqual([['new'], ['new']]);
  expect(existsSync(join(stage, 'replaced', 'deps', 'old'))).toBe(true);
});

it('undoes the first replacement when the second fails', async () => {
  write(join(root, 'deps', 'old'), 'old');
  const stage = await createStage(root);
  write(join(stage, 'deps', 'new'), 'new');
  await expect(putInPlace(stage, root, ['deps', 'lib'])).rejects.toThrow('ENOENT');
  expect(readdirSync(join(root, 'deps'))).toEqual(['old']);
});

it('puts back what a killed process had taken away', async () => {
  const stale = join(root, `.metaapo-stage-${ownerName({ ...thisOwner(), pid: NO_PROCESS })}-abcdef`);
  write(join(stale, 'replaced', 'deps', 'old'), 'old');
  await createStage(root);
  expect(readFileSync(join(root, 'deps', 'old'), 'utf8')).toBe('old');
  expect(existsSync(stale)).toBe(false);
});

it('leaves the stages of running processes and of other machines', async () => {
  const owners = [thisOwner(), { ...thisOwner(), pid: NO_PROCESS, boot: 'another', host: 'elsewhere' }];
  const names = [...owners.map((owner) => `.metaapo-stage-${ownerName(owner)}-abcdef`), '.metaapo-stage-of-a-user'];
  for (const name of names) mkdirSync(join(root, name));
  await createStage(root);
  expect(readdirSync(root)).toEqual(expect.arrayContaining(names));
});

it('copies a tree with its links', async () => {
  write(join(root, 'from', 'a', 'file'), 'text');
  await linkOrCopyTree(join(root, 'from'), join(root, 'to'));
  expect(readFileSync(join(root, 'to', 'a', 'file'), 'utf8')).toBe('text');
});
