import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { claimOutput, keepRecipe } from './claim-output.js';
import { withJudgedFiles } from './judged-files.js';
import { inputsOf } from './require-apart.js';
import { requireOutputFile } from './require-output-file.js';

const root = mkdtempSync(join(tmpdir(), 'metaapo-outputs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...path: string[]): string => join(root, ...path);

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(at('model'), { recursive: true });
  writeFileSync(at('model', 'config.json'), '{}');
  writeFileSync(at('data.jsonl'), 'rows');
  symlinkSync(at('data.jsonl'), at('link.jsonl'));
});

it.each([
  ['a device', () => '/dev/null', /a device or a pipe/],
  ['a directory', () => at('model'), /a directory/],
  ['the input', () => at('data.jsonl'), /the same place/],
  ['a link to the input', () => at('link.jsonl'), /the same place/],
  ['a file in a model', () => at('model', 'out.jsonl'), /a place in it/],
])('refuses %s as an output file, also where files may be replaced', async (_, output, got) => {
  const inputs = [at('data.jsonl'), at('model'), 'owner/name', undefined];
  await expect(requireOutputFile(output(), { inputs, overwrite: true })).rejects.toThrow(got);
});

it.runIf(existsSync('/proc/self/fd'))('refuses a pipe whose path leads to no name', async () => {
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  const { fd } = (child.stdin as unknown as { readonly _handle: { readonly fd: number } })._handle;
  await expect(requireOutputFile(`/proc/self/fd/${fd}`)).rejects.toThrow(/a device or a pipe/);
  child.stdin.end();
});

it('replaces an existing file only when asked, and where a link leads', async () => {
  await expect(requireOutputFile(at('link.jsonl'))).rejects.toThrow(/exists already.*--overwrite/);
  expect(await requireOutputFile(at('link.jsonl'), { overwrite: true })).toBe(at('data.jsonl'));
  expect(await requireOutputFile(at('new.jsonl'))).toBe(at('new.jsonl'));
});

it.each([
  ['the rows', { data: 'data.jsonl' }, 'data.jsonl'],
  ['a file in a model', { model: 'model' }, 'model/out.jsonl'],
  ['a file in the model of a part', { model: '{id: local, path: model}' }, 'model/out.jsonl'],
  ['what a meta-learner begins with', { metaLearner: '{id: mlp, init: data.jsonl}' }, 'data.jsonl'],
])('refuses to write over what flags name: %s', async (_, flags, output) => {
  const texts = Object.entries(flags).map(([key, text]) => [
    key,
    text.replace(/(model|data\.jsonl)(?=}?$)/, (path) => at(path)),
  ]);
  const given = { ...Object.fromEntries(texts), output: at(output), overwrite: true };
  await expect(withJudgedFiles(given)).rejects.toThrow(/is, holds or lies in what is read/);
});

it.each([
  ['is the model', 'model', { model: 'model' }],
  ['holds the model', '', { model: 'model' }],
  ['lies in the reference', 'model/run', { reference: 'model' }],
  ['holds rows', '', { data: { train: ['data.jsonl'] } }],
  ['holds the model of a part', '', { rewardModel: { id: 'local', model: 'model' } }],
])('refuses a run directory that %s', async (_, output, recipe) => {
  const inside = JSON.parse(JSON.stringify(recipe), (key, value) =>
    typeof value === 'string' && key !== 'id' ? at(value) : value,
  );
  const inputs = inputsOf(inside, at('recipe.yaml'));
  await expect(claimOutput(at(output), { resume: false, inputs })).rejects.toThrow(/is, holds or lies in/);
  expect(existsSync(at(output, 'run.lock'))).toBe(false);
});

it.each(['model', 'recipe.yaml', 'report.html', 'checkpoint', 'iterations', 'journal.jsonl.end', 'run.lock'])(
  'refuses a run directory with a %s of the user, also to resume where there is no run',
  async (name) => {
    mkdirSync(at('run'));
    writeFileSync(at('run', name), 'mine');
    for (const resume of [false, true]) {
      await expect(claimOutput(at('run'), { resume, inputs: [] })).rejects.toThrow(name);
    }
    expect(readFileSync(at('run', name), 'utf8')).toBe('mine');
  },
);

it('refuses a run directory in which a link leads to nothing', async () => {
  mkdirSync(at('run'));
  symlinkSync(at('elsewhere'), at('run', 'model'));
  await expect(claimOutput(at('run'), { resume: false, inputs: [] })).rejects.toThrow('model');
  expect(existsSync(at('elsewhere'))).toBe(false);
});

it('resumes a run that had begun, and one that was stopped before', async () => {
  mkdirSync(at('run', 'iterations'), { recursive: true });
  writeFileSync(at('run', 'journal.jsonl'), '');
  await (await claimOutput(at('run'), { resume: true, inputs: [] }))();
  await (await claimOutput(at('new'), { resume: true, inputs: [] }))();
});

it('begins again where a run had kept its recipe and no more', async () => {
  const unlock = await claimOutput(at('run'), { resume: false, inputs: [] });
  await keepRecipe({ output: at('run') });
  await unlock();
  await (await claimOutput(at('run'), { resume: false, inputs: [] }))();
});
