import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Owner, ownerName, thisOwner } from '@metaapo/core/storage';
import { expect } from 'vitest';
import { native } from '../../../test/native-test.js';
import { outputsOf, program } from '../../../test/run-program.js';
import { operations as ops } from '../../program/index.js';
import { openCompiledSession } from './session.js';

native('removes what killed processes of this machine left behind, and nothing of others', async () => {
  // No process has this id: it is beyond the largest that Linux gives.
  const gone = { ...thisOwner(), pid: 2 ** 22 + 1 };
  const made = (owner: Owner): string => mkdtempSync(join(tmpdir(), `metaapo-compiled-${ownerName(owner)}-`));
  const killed = made(gone);
  const elsewhere = made({ ...gone, boot: 'another machine', host: 'elsewhere' });
  openCompiledSession({ nothing: program((graph) => ({ one: ops.scalar(graph, 1) })) }).dispose();
  expect([existsSync(killed), existsSync(elsewhere)]).toEqual([false, true]);
  rmSync(elsewhere, { recursive: true });
});

native('leaves no files behind', async () => {
  const session = openCompiledSession({ nothing: program((graph) => ({ one: ops.scalar(graph, 1) })) });
  expect(await outputsOf(session, 'nothing')).toEqual({ one: [1] });
  session.dispose();
  const own = readdirSync(tmpdir()).filter((name) => name.startsWith(`metaapo-compiled-${process.pid}-`));
  expect(own).toEqual([]);
});
