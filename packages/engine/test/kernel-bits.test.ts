import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagsOf } from '../src/backends/provision/kernels.js';

const run = promisify(execFile);
const source = (path: string): string => new URL(`../${path}`, import.meta.url).pathname;
const compiler = process.env.CXX ?? 'g++';

const isTheirs = process.platform === 'linux' && process.arch === 'x64';
const hasCompiler =
  isTheirs &&
  (await run(compiler, ['--version']).then(
    () => true,
    () => false,
  ));
if (!hasCompiler) console.log(`skipped: fused kernels are compiled on Linux x64, by ${compiler}`);

describe.skipIf(!hasCompiler)('the fused kernels', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'kernel-bits-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** What each function gives when a level is compiled with further flags, a line a function. */
  async function digests(level: string, flags: readonly string[]): Promise<string> {
    const object = join(directory, `${level}${flags.join('')}.o`);
    const program = object.replace(/\.o$/, '');
    await run(compiler, [...flagsOf(level), ...flags, '-c', source('kernels/level.cc'), '-o', object]);
    const rest = ['functions.cc', 'threads.cc'].map((file) => source(`kernels/${file}`));
    const all = [object, ...rest, source('test/kernel-bits.cc'), '-pthread', '-o', program];
    await run(compiler, ['-std=c++17', '-O1', ...all]);
    return (await run(program)).stdout;
  }

  it('give the same bits however the compiler optimises them', async () => {
    const [fast, slow] = await Promise.all([digests('avx2', []), digests('avx2', ['-O1'])]);
    expect(fast.split('\n').length).toBeGreaterThan(20);
    expect(fast).toBe(slow);
  }, 120_000);
});
