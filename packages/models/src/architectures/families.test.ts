import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from './index.js';

const source = fileURLToPath(new URL('..', import.meta.url));
const fixtures = fileURLToPath(new URL('../../../../fixtures/models', import.meta.url));

/** Code of the package without its comments, by file. */
const code = new Map(
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => [file, withoutComments(readFileSync(join(source, file), 'utf8'))]),
);

function withoutComments(text: string): string {
  const printer = ts.createPrinter({ removeComments: true });
  return printer.printFile(ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest));
}

describe.each(ARCHITECTURES.map(({ id, className }) => [id, className] as const))('the family %s', (id, className) => {
  const file = `architectures/${id.replaceAll('_', '-')}.ts`;

  it('is one file and its place in the list', () => {
    const constant = id.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const name = new RegExp(`\\b(${id}|${constant}|${className})\\b`);
    const naming = [...code].flatMap(([path, text]) => (name.test(text) ? [path] : []));
    expect(naming.sort()).toEqual([file, 'architectures/index.ts'].sort());
  });

  it('has golden values of transformers', () => {
    const golden = readdirSync(fixtures, { withFileTypes: true }).filter((entry) => {
      const files = entry.isDirectory() ? readdirSync(join(fixtures, entry.name)) : [];
      if (!files.includes('golden.safetensors') || !files.includes('config.json')) return false;
      return JSON.parse(readFileSync(join(fixtures, entry.name, 'config.json'), 'utf8')).model_type === id;
    });
    expect(golden.length).toBeGreaterThan(0);
  });
});
