import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selectBackend } from '@metaapo/engine';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LanguageModelOptions, loadLanguageModel, loadScorer, type ScorerOptions } from '../src/index.js';

const fixtures = fileURLToPath(new URL('../../../fixtures/models', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'metaapo-fingerprint-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeAll(() => selectBackend({ prefer: 'wasm' }));

async function fingerprintOf(model: string, options: LanguageModelOptions = {}): Promise<string> {
  const loaded = await loadLanguageModel(model, options);
  loaded.dispose();
  return loaded.fingerprint;
}

async function scorerFingerprintOf(model: string, options: ScorerOptions): Promise<string> {
  const loaded = await loadScorer(model, options);
  loaded.dispose();
  return loaded.fingerprint;
}

/** A copy of a directory with other values in one of its JSON files. */
function changed(source: string, file: string, values: Readonly<Record<string, unknown>>): string {
  const copy = mkdtempSync(join(directory, 'copy-'));
  cpSync(source, copy, { recursive: true });
  const json = JSON.parse(readFileSync(join(copy, file), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(copy, file), JSON.stringify({ ...json, ...values }));
  return copy;
}

const qwen2 = join(fixtures, 'qwen2');
const base = join(fixtures, 'qwen2-lora', 'base');
const adapter = join(fixtures, 'qwen2-lora', 'adapter');

it('is the same for the same model, whatever does not count', async () => {
  const original = await fingerprintOf(qwen2);
  expect(await fingerprintOf(changed(qwen2, 'config.json', { transformers_version: '1' }))).toBe(original);
});

it.each([
  ['rope_theta', () => fingerprintOf(changed(qwen2, 'config.json', { rope_parameters: { rope_theta: 5e5 } })), qwen2],
  ['rms_norm_eps', () => fingerprintOf(changed(qwen2, 'config.json', { rms_norm_eps: 1e-3 })), qwen2],
  ['a new head', () => scorerFingerprintOf(qwen2, { newHead: { seed: 1 } }), qwen2],
  ['an adapter', () => fingerprintOf(base, { adapter }), base],
])('changes with %s', async (_, other, original) => {
  expect(await other()).not.toBe(await fingerprintOf(original));
});

it('changes with the scale of an adapter', async () => {
  const scaled = changed(adapter, 'adapter_config.json', { lora_alpha: 3 });
  expect(await fingerprintOf(base, { adapter: scaled })).not.toBe(await fingerprintOf(base, { adapter }));
});
