import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Runs a program after a watch was begun. */
const watched = (program: string) => {
  const source = new URL('./unsettled.ts', import.meta.url).href;
  const code = `import { watchUnsettled } from '${source}'; const ended = watchUnsettled(); ${program}`;
  return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { encoding: 'utf8' });
};

it('says that a command waits for nothing, with exit code 1', () => {
  const { status, stderr } = watched('await new Promise(() => undefined);');
  expect([status, stderr]).toEqual([1, expect.stringContaining('metaapo: the command waits for something')]);
});

it('says nothing of a command that ended, or was ended', () => {
  expect(watched('await null; ended();')).toMatchObject({ status: 0, stderr: '' });
  expect(watched('process.exit(130);')).toMatchObject({ status: 130, stderr: '' });
});
