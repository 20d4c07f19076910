import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { metaapo, root, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const path = (name: string): string => join(directory, name);
const env = { METAAPO_HOME: path('home'), METAAPO_BACKEND: 'wasm' };
const fixtures = join(root, 'fixtures', 'models');
const base = join(fixtures, 'qwen2-lora', 'base');
const adapter = join(fixtures, 'qwen2-lora', 'adapter');

it('merges an adapter into one directory, and writes over none', () => {
  const merged = metaapo(['export', '--model', base, '--adapter', adapter, '--output', path('merged')], env);
  expect(merged.status, merged.stderr).toBe(0);
  expect(merged.stdout).toContain('holds the model in float32');
  expect(metaapo(['export', '--model', base, '--output', path('plain')], env).status).toBe(0);
  const weights = (name: string): Buffer => readFileSync(join(path(name), 'model.safetensors'));
  expect(weights('merged').length).toBe(weights('plain').length);
  expect(weights('merged').equals(weights('plain'))).toBe(false);
  const again = metaapo(['export', '--model', base, '--output', path('merged')], env);
  expect(again.status).toBe(2);
  expect(again.stderr).toContain('exists already');
});

it('writes bfloat16 where that is asked for, half as large', () => {
  const written = metaapo(['export', '--model', base, '--output', path('narrow'), '--dtype', 'bfloat16'], env);
  expect(written.status, written.stderr).toBe(0);
  const config = JSON.parse(readFileSync(join(path('narrow'), 'config.json'), 'utf8')) as Record<string, unknown>;
  expect(config.dtype ?? config.torch_dtype).toBe('bfloat16');
  const size = (name: string): number => readFileSync(join(name, 'model.safetensors')).length;
  expect(size(path('narrow')) / size(path('merged'))).toBeCloseTo(0.5, 1);
});
