import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type LocalModelOptions, localModel } from '@metaapo/models';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hubServer } from '../packages/hub/test/hub-server.js';
import { quickstartModel, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const context = { report: () => undefined };
const use = { optimizer: { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 }, seed: 1, longestRow: 16 };
const messages = [{ role: 'user', content: 'sort 2 1' }];
let made = 0;

beforeEach(async () => {
  const files = Object.fromEntries(
    readdirSync(quickstartModel).map((name) => [name, readFileSync(join(quickstartModel, name))]),
  );
  const { endpoint } = await hubServer({ 'models/owner/base': { files } });
  const hub = { HF_ENDPOINT: endpoint, HF_HOME: join(directory, `cache-${made}`), HF_TOKEN: 'x' };
  for (const [name, value] of Object.entries(hub)) vi.stubEnv(name, value);
});
afterEach(() => vi.unstubAllEnvs());

/** Trains nothing: a new adapter on a model, saved. */
async function newAdapter(path: string, more: Partial<LocalModelOptions> = {}): Promise<string> {
  const { model } = await localModel({ path, lora: { rank: 2 }, executor: 'eager', ...more }, context).openPolicy(use);
  const saved = join(directory, `adapter-${made++}`);
  await model.save(saved);
  await model.dispose();
  return saved;
}

const settingsOf = (adapter: string) =>
  JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;

const rendered = async (options: LocalModelOptions): Promise<string> =>
  (await localModel(options, context).describe()).tokenizer!.renderChat(messages);

describe('a saved adapter', () => {
  it('names a model of the hub as it was typed, and holds its tokenizer', async () => {
    const adapter = await newAdapter('owner/base@main');
    expect(settingsOf(adapter)).toMatchObject({ base_model_name_or_path: 'owner/base', revision: 'main' });
    expect(readdirSync(adapter)).toContain('tokenizer.json');
    expect(settingsOf(await newAdapter('owner/base')).revision).toBeNull();
    rmSync(process.env.HF_HOME!, { recursive: true });
    const again = localModel({ path: adapter, executor: 'eager' }, context);
    const { model } = await again.openReference('start', {});
    await model.dispose();
  });

  it('names a directory by its whole path', async () => {
    const adapter = await newAdapter(relative(process.cwd(), quickstartModel));
    expect(settingsOf(adapter).base_model_name_or_path).toBe(quickstartModel);
  });

  it('names the model again when its training goes on', async () => {
    const first = await newAdapter('owner/base');
    const options = { path: first, lora: undefined };
    expect(settingsOf(await newAdapter(first, options)).base_model_name_or_path).toBe('owner/base');
  });

  it('is opened by the model that it was trained on without asking the hub again', async () => {
    const source = localModel({ path: 'owner/base', lora: { rank: 2 }, executor: 'eager' }, context);
    const { model, directory: opened } = await source.openPolicy(use);
    const saved = join(directory, 'iteration');
    await model.save(saved);
    await model.dispose();
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:1');
    vi.stubEnv('HF_HOME', join(directory, 'nothing'));
    const reference = await source.openReference(saved, {});
    expect(reference.directory).toBe(opened);
    await reference.model.dispose();
  });
});

describe('the tokenizer and the template of an adapter', () => {
  it('are used wherever the adapter is given, and saved with what comes of it', async () => {
    const adapter = await newAdapter(quickstartModel);
    writeFileSync(join(adapter, 'chat_template.jinja'), 'own: {{ messages[0].content }}');
    for (const options of [{ path: adapter }, { path: quickstartModel, adapter }]) {
      expect(await rendered(options)).toBe('own: sort 2 1');
      const merged = join(directory, `merged-${made++}`);
      await localModel(options, context).exportTo!(merged, 'float32');
      expect(await rendered({ path: merged })).toBe('own: sort 2 1');
      expect(readFileSync(join(merged, 'generation_config.json'))).toEqual(
        readFileSync(join(quickstartModel, 'generation_config.json')),
      );
    }
  });

  it('are those of the model where the adapter has none, and refused where it has a part', async () => {
    const adapter = join(directory, 'bare');
    mkdirSync(adapter);
    const whole = await newAdapter(quickstartModel);
    for (const name of ['adapter_config.json', 'adapter_model.safetensors'])
      cpSync(join(whole, name), join(adapter, name));
    expect(await rendered({ path: adapter })).toBe(await rendered({ path: quickstartModel }));
    writeFileSync(join(adapter, 'chat_template.jinja'), 'own');
    await expect(rendered({ path: adapter })).rejects.toThrow(/a part of a tokenizer.*chat_template\.jinja/s);
  });
});
