import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.js';
import { recoverDirectory, replaceDirectory, thisOwner, writeAtomically } from './index.js';

const file = scratchDirectory();

describe('writing', () => {
  it('replaces a file or a directory as a whole, or not at all', async () => {
    await writeAtomically(file('text'), 'old');
    await writeAtomically(file('text'), 'new');
    expect(readFileSync(file('text'), 'utf8')).toBe('new');
    const target = file('model');
    await replaceDirectory(target, async (fresh) => writeFileSync(join(fresh, 'a'), '1'));
    const failing = replaceDirectory(target, async (fresh) => {
      writeFileSync(join(fresh, 'b'), '2');
      throw new Error('the disk is full');
    });
    await expect(failing).rejects.toThrow('the disk is full');
    expect(existsSync(join(target, 'a'))).toBe(true);
    expect(existsSync(join(target, 'b'))).toBe(false);
  });

  it('leaves what lies beside a replaced directory alone, whatever its name', async () => {
    const target = file('beside/exp');
    for (const name of ['exp.old', 'exp.tmp', '.metaapo-mine']) {
      mkdirSync(file(`beside/${name}`), { recursive: true });
      writeFileSync(file(`beside/${name}/thesis.txt`), 'mine');
    }
    await replaceDirectory(target, async (fresh) => writeFileSync(join(fresh, 'a'), '1'));
    await replaceDirectory(target, async (fresh) => writeFileSync(join(fresh, 'a'), '2'));
    await recoverDirectory(target);
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('2');
    expect(readdirSync(file('beside')).sort()).toEqual(['.metaapo-mine', 'exp', 'exp.old', 'exp.tmp']);
    for (const name of ['exp.old', 'exp.tmp', '.metaapo-mine']) {
      expect(readFileSync(file(`beside/${name}/thesis.txt`), 'utf8')).toBe('mine');
    }
  });

  it('puts back what a killed process took away, and removes the rest of its directory', async () => {
    const [target, side] = [file('killed/exp'), file('killed/.metaapo-0')];
    mkdirSync(join(side, 'old'), { recursive: true });
    writeFileSync(join(side, 'old', 'a'), '1');
    const dead = { ...thisOwner(), pid: 2 ** 22 + 1 };
    writeFileSync(join(side, 'replaces.json'), JSON.stringify({ ...dead, replaces: 'exp' }));
    await recoverDirectory(target);
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('1');
    expect(readdirSync(file('killed'))).toEqual(['exp']);
  });
});
