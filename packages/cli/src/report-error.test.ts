import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { writeAtomically } from '@metaapo/core/storage';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { exitCodeOf, reportError } from './report-error.js';

const directory = mkdtempSync(join(tmpdir(), 'metaapo-errors-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What is printed of a failure. */
function printed(error: unknown): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  reportError(error);
  const text = String(write.mock.calls[0]![0]);
  write.mockRestore();
  return text;
}

async function failureOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('a failure of the file system is one paragraph with a remedy', () => {
  const file = join(directory, 'file');
  const folder = join(directory, 'folder');
  writeFileSync(file, '');
  mkdirSync(folder);
  const withCode = (code: string) => () => {
    throw Object.assign(new Error(`${code}: write`), { code, syscall: 'write', path: '/disk/model' });
  };
  it.each([
    ['a file as the output directory', () => mkdir(file, { recursive: true }), file],
    ['a file above the output', () => writeAtomically(join(file, 'x', 'y'), ''), file],
    ['a directory as the output file', () => writeAtomically(folder, ''), folder],
    ['a directory that is read', () => readFileSync(folder), 'EISDIR'],
    ['a directory that nobody can make', () => mkdir('/proc/none'), '/proc/none'],
    ['a name with a character of number 0', () => readFileSync('a\0b'), 'number 0'],
    ['a full disk', withCode('ENOSPC'), '/disk/model: the disk is full'],
    ['no permission', withCode('EACCES'), '/disk/model: there is no permission'],
  ])('%s', async (_, act, shown) => {
    const error = await failureOf(act);
    expect(exitCodeOf(error)).toBe(2);
    const text = printed(error);
    expect(text).toMatch(/^metaapo: [^\n]*\n$/);
    expect(text).toContain(shown);
    expect(text).toMatch(/Choose another path|Free some space/);
  });
});

it('an interruption ends with 130, a fault of ours with 1', () => {
  const aborted = new AbortController();
  aborted.abort();
  expect(exitCodeOf(aborted.signal.reason)).toBe(130);
  expect(printed(aborted.signal.reason)).toContain('stopped');
  expect(exitCodeOf(new TypeError('x'))).toBe(1);
  expect(exitCodeOf(new MetaapoError('data', 'x', { where: 'y' }))).toBe(2);
});

it('a fault of ours is one line, with the place of a file that has the rest and no secret', () => {
  vi.stubEnv('SOME_API_KEY', 'secret-of-the-user');
  const error = new TypeError('no\n\u001b]0;secret-of-the-user', { cause: new Error('underneath') });
  const text = printed(error);
  expect(text).toMatch(/^metaapo: [^\n]*TypeError: no [^\n]*report it[^\n]*\n$/);
  const file = /in (\S+metaapo-crash-\S+\.txt)/.exec(text)![1]!;
  const details = readFileSync(file, 'utf8');
  rmSync(file);
  expect(details).toMatch(/\n\s+at /);
  expect(details).toContain('underneath');
  for (const shown of [text, details]) {
    expect(shown).not.toContain('secret-of-the-user');
    expect(shown).not.toContain('\u001b');
  }
  vi.unstubAllEnvs();
});
