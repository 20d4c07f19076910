import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './fuzz-target.js';

/** An input that a parser once had a fault with. */
export interface FoundInput {
  /** Name of the parser's target. */
  readonly target: string;
  readonly input: unknown;
}

/** An input as a line of JSON; bytes as `{"base64": ...}`. */
export function shownInput(input: unknown): string {
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  };
  return JSON.stringify(plain(input)) ?? 'undefined';
}

/** The inputs that were found, kept in `fixtures/fuzz/found.jsonl`. */
export function foundInputs(): readonly FoundInput[] {
  const lines = readFileSync(join(ROOT, 'fixtures/fuzz/found.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line, bytesIn) as FoundInput);
}

function bytesIn(_: string, value: unknown): unknown {
  const isBytes = typeof value === 'object' && value !== null && Object.keys(value).join() === 'base64';
  return isBytes ? Buffer.from((value as { readonly base64: string }).base64, 'base64') : value;
}
