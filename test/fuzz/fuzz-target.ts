import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type fc from 'fast-check';

/** A parser that is tried with inputs that are nearly right. */
export interface FuzzTarget {
  readonly name: string;
  /** Texts, bytes, or values of JSON. */
  readonly inputs: fc.Arbitrary<unknown>;
  /** A run of the parser with one input: it may refuse with a MetaapoError, and in no other way. */
  parse(input: never): unknown;
}

/** A target whose parser takes what its inputs are. */
export function target<Input>(name: string, inputs: fc.Arbitrary<Input>, parse: (input: Input) => unknown): FuzzTarget {
  return { name, inputs, parse: parse as FuzzTarget['parse'] };
}

/** The root of the workspace. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A directory of this process for the files of inputs, gone when it ends. */
export const DIRECTORY = mkdtempSync(join(tmpdir(), 'metaapo-fuzz-'));
process.on('exit', () => rmSync(DIRECTORY, { recursive: true, force: true }));

/** A file with this content. */
export function fileOf(name: string, content: string | Uint8Array): string {
  writeFileSync(join(DIRECTORY, name), content);
  return join(DIRECTORY, name);
}

/** Reads all items. */
export async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items) {
    // Only that it ends, or refuses.
  }
}

/** A value as a file of JSON has it; `undefined`, which JSON lacks, as an empty text. */
export const jsonText = (value: unknown): string => JSON.stringify(value) ?? '';
