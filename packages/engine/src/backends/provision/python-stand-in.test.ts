import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exportedSymbols } from '../../../test/exported-symbols.js';
import { dllThatImports } from '../../../test/fake-dll.js';
import { write } from '../../../test/fake-machine.js';
import { standInForPython } from './python-stand-in.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'metaapo-stand-in-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const library = (imports: Parameters<typeof dllThatImports>[0]): string => {
  write(join(root, 'tensorflow.dll'), dllThatImports(imports));
  return join(root, 'tensorflow.dll');
};

it('writes a library of the name and the symbols that are asked for', async () => {
  const symbols = ['Py_IsInitialized', 'PyDict_Type', 'PyErr_SetString', 'PyExc_ValueError'];
  const name = await standInForPython(library({ 'KERNEL32.dll': ['Sleep'], 'python311.dll': symbols }));
  expect(name).toBe('python311.dll');
  expect([...exportedSymbols(join(root, 'python311.dll'))].sort()).toEqual([...symbols].sort());
});

it('writes none where no Python is asked for', async () => {
  expect(await standInForPython(library({ 'KERNEL32.dll': ['Sleep'] }))).toBeUndefined();
});
