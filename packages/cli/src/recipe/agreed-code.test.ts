import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { pluginDigest, rememberCode, requireAgreement } from './agreed-code.js';

const root = mkdtempSync(join(tmpdir(), 'metaapo-agreed-'));
afterAll(() => rmSync(root, { recursive: true }));
const plugin = join(root, 'plugin.mjs');
const recipe = { plugins: [plugin], rewardModel: { id: 'ensemble', members: [{ id: 'function', path: plugin }] } };
let run: string;

beforeEach(() => {
  vi.stubEnv('METAAPO_HOME', mkdtempSync(join(root, 'home-')));
  run = mkdtempSync(join(root, 'run-'));
  writeFileSync(plugin, 'globalThis.wasRun = true;');
});

it('names code that nobody has agreed to, with its digest, and runs none', () => {
  expect(() => requireAgreement(run, recipe, false)).toThrow(
    /plugin \S+plugin\.mjs \(sha256 [0-9a-f]{16}\); function \S+plugin\.mjs \(sha256.*--trust/,
  );
  const served = { sampler: { id: 'openai', refreshCommand: 'reload' } };
  expect(() => requireAgreement(run, served, false)).toThrow(/command reload/);
  expect(globalThis).not.toHaveProperty('wasRun');
});

it('asks once, and not for a run that was begun here', () => {
  requireAgreement(run, recipe, true);
  expect(() => requireAgreement(run, recipe, false)).not.toThrow();
  const own = join(root, 'own');
  mkdirSync(own);
  rememberCode(own, recipe);
  expect(() => requireAgreement(own, recipe, false)).not.toThrow();
});

it('asks again when the code is another, or the run is a copy elsewhere', () => {
  rememberCode(run, recipe);
  const copy = mkdtempSync(join(root, 'copy-'));
  expect(() => requireAgreement(copy, recipe, false)).toThrow(/not agreed/);
  writeFileSync(plugin, 'globalThis.wasRun = 2;');
  expect(() => requireAgreement(run, recipe, false)).toThrow(/not agreed/);
});

it('asks again when a module is another one that the code imports', () => {
  writeFileSync(plugin, "import './imported.mjs';");
  writeFileSync(join(root, 'imported.mjs'), '');
  rememberCode(run, recipe);
  expect(() => requireAgreement(run, recipe, false)).not.toThrow();
  writeFileSync(join(root, 'imported.mjs'), 'globalThis.wasRun = true;');
  expect(() => requireAgreement(run, recipe, false)).toThrow(/plugin .*not agreed|not agreed.*plugin/s);
});

it('has nothing to ask of a recipe without code', () => {
  expect(() => requireAgreement(run, { loss: { id: 'dpo' }, plugins: [], data: { path: 'x' } }, false)).not.toThrow();
});

it('gives plugins another digest when their module, or the version of their package, is another one', () => {
  const home = mkdtempSync(join(tmpdir(), 'metaapo-digest-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const file = join(home, 'plugin.mjs');
  writeFileSync(file, 'export default 1;');
  const before = pluginDigest(file);
  expect(pluginDigest(file)).toBe(before);
  writeFileSync(file, 'export default 2;');
  expect(pluginDigest(file)).not.toBe(before);
  const working = vi.spyOn(process, 'cwd').mockReturnValue(home);
  onTestFinished(() => working.mockRestore());
  const directory = join(home, 'node_modules', 'a-plugin');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'index.js'), '');
  const digestAt = (version: string): string => {
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'a-plugin', version, main: 'index.js' }));
    return pluginDigest('a-plugin');
  };
  expect(digestAt('1.0.0')).not.toBe(digestAt('1.0.1'));
  expect(digestAt('1.0.0')).toBe(digestAt('1.0.0'));
});
