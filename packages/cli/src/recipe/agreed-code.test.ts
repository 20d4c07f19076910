import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { rememberCode, requireAgreement } from './agreed-code.js';

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

it('has nothing to ask of a recipe without code', () => {
  expect(() => requireAgreement(run, { loss: { id: 'dpo' }, plugins: [], data: { path: 'x' } }, false)).not.toThrow();
});
