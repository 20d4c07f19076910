import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindingFile, defaultSearchPath, findNativePackage } from './native-package.js';
import { nativeTarget } from './native-targets.js';
import { QUIET_FILE, QUIET_SOURCE } from './quiet-loading.js';

const compiler = nativeTarget()?.compiler;
const command = compiler?.commands.find((name) => spawnSync(name, ['--version']).status === 0);
if (command === undefined) console.log('skipped: the addon that keeps notes away is not tried without a compiler');

const NOTES = [
  'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR',
  'I0000 00:00:1795917847.256668   24772 port.cc:153] oneDNN custom operations are on. You may see different results.',
  'I0000 00:00:1795917507.369855      36 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available CPU instructions.',
  'To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler flags.',
];
const OTHERS = [
  'W0000 00:00:1795917847.256668   24772 port.cc:153] oneDNN custom operations are on.',
  'I0000 00:00:1795917847.256668   24772 loader.cc:471] SavedModel load for tags { serve }',
  'E0000 00:00:1795917847.256668   24772 cuda.cc:1] no device',
  'To enable the following instructions: read the manual',
  '',
  'anything else',
];

describe.skipIf(command === undefined)('the addon that keeps notes away', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'metaapo-quiet-'));
    const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
    writeFileSync(join(directory, 'quiet.cc'), QUIET_SOURCE);
    const parameters = [...compiler!.flags, '-pthread', '-I', headers];
    const built = spawnSync(command!, [...parameters, '-o', 'quiet.node', 'quiet.cc'], { cwd: directory });
    expect(built.status, built.stderr.toString()).toBe(0);
  }, 60_000);
  afterAll(() => rmSync(directory, { recursive: true }));

  /** What a process leaves on standard error that writes each text between `begin` and `end`, and one after. */
  const write = (texts: readonly string[]): string => {
    const program = `
      const { begin, end } = require('./quiet.node');
      const { writeSync } = require('node:fs');
      begin();
      for (const text of JSON.parse(require('node:fs').readFileSync(0, 'utf8'))) writeSync(2, text);
      end();
      writeSync(2, 'after');`;
    const options = { cwd: directory, encoding: 'utf8', input: JSON.stringify(texts) } as const;
    return spawnSync(process.execPath, ['-e', program], options).stderr;
  };

  it('takes out the notes that TensorFlow writes while it is opened, and no other line', () => {
    const mixed = OTHERS.flatMap((line, index) => [line, NOTES[index % NOTES.length]!]);
    expect(write([`${mixed.join('\n')}\n`])).toBe(`${OTHERS.join('\n')}\nafter`);
  });

  it('knows a note that is written in pieces, and passes on a line without an end', () => {
    const [note] = NOTES as [string];
    expect(write([note.slice(0, 20), note.slice(20), '\nfirst\nrest'])).toBe('first\nrestafter');
  });

  it('passes on more than a pipe holds', () => {
    const text = `${'x'.repeat(99)}\n`.repeat(5000);
    expect(write([text])).toBe(`${text}after`);
  });
});

const found = findNativePackage('tensorflow', defaultSearchPath());
const hasAddon = found !== undefined && existsSync(join(dirname(bindingFile(found.directory)), QUIET_FILE));
if (!hasAddon) console.log('skipped: the native backend is not here, or has no addon that keeps notes away');

it.skipIf(!hasAddon)('loads the native backend without a word', () => {
  const source = fileURLToPath(new URL('./select-backend.ts', import.meta.url));
  const program = `
    const { selectBackend } = await import(${JSON.stringify(source)});
    const { tf } = await selectBackend({ prefer: 'tensorflow' });
    process.stdout.write(String(tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])).dataSync()[0]));`;
  const cwd = fileURLToPath(new URL('../../../..', import.meta.url));
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: undefined };
  const parameters = ['--import', 'tsx', '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, parameters, { cwd, env, encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['64', '']);
});
