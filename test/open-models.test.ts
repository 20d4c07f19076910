import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import plugin, { findModel, localModel } from '@metaapo/models';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { hubServer, type SeenRequest } from '../packages/hub/test/hub-server.js';

const home = mkdtempSync(join(tmpdir(), 'metaapo-models-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const sources = { report: () => undefined };
const BASE = {
  'config.json': '{}',
  'model-00001-of-00002.safetensors': '1',
  'model-00002-of-00002.safetensors': '2',
  'model.safetensors.index.json': '{}',
  'consolidated.safetensors': 'the same weights again',
  'pytorch_model.bin': 'code',
  'modeling.py': 'code',
};
const adapter = (base: object) => ({
  'adapter_config.json': JSON.stringify(base),
  'adapter_model.safetensors': 'a',
});

let requests: readonly SeenRequest[] = [];

beforeEach(async () => {
  const { endpoint, seen } = await hubServer({
    'models/owner/base': { files: BASE },
    'models/owner/lora': { files: adapter({ base_model_name_or_path: 'owner/base' }) },
    'models/owner/new': { files: { ...BASE, 'config.json': JSON.stringify({ model_type: 'gemma9' }) } },
    'models/owner/pickled': { files: { 'config.json': '{}', 'pytorch_model.bin': 'code' } },
    'models/gpt': { files: BASE },
    'models/gpt@v2': { files: { 'config.json': '{"a": 2}' } },
    'models/owner/orphan': { files: adapter({}) },
  });
  for (const [name, value] of Object.entries({ HF_ENDPOINT: endpoint, HF_HOME: home, HF_TOKEN: 'x' })) {
    vi.stubEnv(name, value);
  }
  requests = seen;
});

it('fetches the weights of a model once, and no code', async () => {
  const { directory, adapter: none } = await findModel('owner/base', sources);
  expect(readdirSync(directory).sort()).toEqual([
    'config.json',
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ]);
  expect(none).toBeUndefined();
});

it('follows an adapter to the model that it names', async () => {
  const found = await findModel('owner/lora', sources);
  expect(found.directory).toBe((await findModel('owner/base', sources)).directory);
  expect(readdirSync(found.adapter!).map((file) => basename(file))).toContain('adapter_model.safetensors');
  await expect(findModel('owner/orphan', sources)).rejects.toThrow(/base_model_name_or_path.*--adapter/);
  await expect(findModel('owner/lora', sources, 'another')).rejects.toThrow(/metaapo export/);
});

it('takes a model without an owner, and the revision behind its name', async () => {
  expect(readdirSync((await findModel('gpt', sources)).directory)).toContain('model.safetensors.index.json');
  expect(readdirSync((await findModel('gpt@v2', sources)).directory)).toEqual(['config.json']);
});

it('refuses what it cannot compute before any weights are fetched', async () => {
  const source = localModel({ path: 'owner/new' }, sources);
  const use = { optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }, seed: 0, longestRow: 8 };
  const scorer = plugin.parts.find(({ id }) => id === 'sequence-classification')!;
  const context = { ...sources, baseDirectory: '.' };
  for (const open of [
    () => source.describe(),
    () => source.openPolicy(use),
    () => source.openReference('start', {}),
    () => scorer.create({ model: 'owner/new' } as never, context as never),
  ]) {
    await expect((async () => open())()).rejects.toThrow(/model_type.*gemma9/);
  }
  await expect(findModel('owner/pickled', { ...sources, withoutWeights: true })).rejects.toThrow(
    /no weights that can be read.*pytorch_model\.bin.*safe_serialization/,
  );
  const fetched = requests.map(({ path }) => path).filter((path) => path.includes('/resolve/'));
  expect(fetched.map((path) => basename(path)).sort()).toEqual(['config.json', 'model.safetensors.index.json']);
});
