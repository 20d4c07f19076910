import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findModel } from '@metaapo/models';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { hubServer } from '../packages/hub/test/hub-server.js';

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

beforeEach(async () => {
  const { endpoint } = await hubServer({
    'models/owner/base': { files: BASE },
    'models/owner/lora': { files: adapter({ base_model_name_or_path: 'owner/base' }) },
    'models/owner/orphan': { files: adapter({}) },
  });
  for (const [name, value] of Object.entries({ HF_ENDPOINT: endpoint, HF_HOME: home, HF_TOKEN: 'x' })) {
    vi.stubEnv(name, value);
  }
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
