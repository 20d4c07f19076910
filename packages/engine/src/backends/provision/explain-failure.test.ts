import { MetaapoError } from '@metaapo/core/contracts';
import { expect, it, vi } from 'vitest';
import { explainFailure } from './explain-failure.js';

const systemError = (code: string, message: string): Error =>
  Object.assign(new Error(`${code}: ${message}, write '/cache/lib'`), { code, path: '/cache/lib' });

it.each([
  [systemError('ENOSPC', 'no space left on device'), /^\/cache\/lib: The disk is full.*METAAPO_HOME/],
  [systemError('EROFS', 'read-only file system'), /^\/cache\/lib: This place cannot be written to/],
  [Object.assign(systemError('ENOENT', 'no such file'), { syscall: 'mkdir' }), /cannot be written to.*METAAPO_HOME/],
  [systemError('EACCES', 'permission denied'), /owner of this directory/],
  [new Error('a\nb'), /^package: The backend could not be installed\. Got a\. Run/],
])('makes one paragraph of %s', (error, message) => {
  expect(explainFailure(error, 'package')).toMatchObject({ code: 'backend', message: expect.stringMatching(message) });
});

it('tells an interruption from a failure', () => {
  const stopped = Object.assign(new Error('stopped'), { name: 'AbortError' });
  expect(explainFailure(stopped, 'package')).toMatchObject({
    code: 'interrupted',
    message: expect.stringMatching(/^package: The installation was interrupted.*untouched/),
  });
});

it('keeps an error that explains itself', () => {
  const error = new MetaapoError('config', 'wrong', { where: 'here' });
  expect(explainFailure(error, 'package')).toBe(error);
});

it('says on Windows that a library in use cannot be replaced', () => {
  const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('win32');
  const busy = Object.assign(new Error('EPERM: operation not permitted, rename'), { code: 'EPERM', path: '/p/lib' });
  expect(explainFailure(busy, '/p').message).toMatch(/in use.*End the processes that use this backend/);
  platform.mockRestore();
});
