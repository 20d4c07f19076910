import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFile } from '../test/temporary-directory.js';
import { hubSettings } from './hub-settings.js';

const cache = (environment: Record<string, string>): string =>
  hubSettings({}, { HF_TOKEN: 'x', ...environment }).cacheDirectory;

it('puts the cache where Python puts it', () => {
  expect(cache({})).toBe(join(homedir(), '.cache/huggingface/hub'));
  expect(cache({ XDG_CACHE_HOME: '/c' })).toBe('/c/huggingface/hub');
  expect(cache({ HF_HOME: '~/hf', XDG_CACHE_HOME: '/c' })).toBe(join(homedir(), 'hf/hub'));
  expect(cache({ HF_HOME: '/h', HF_HUB_CACHE: '/hub' })).toBe('/hub');
});

it('takes what is given before the environment, and the environment before the file', () => {
  const file = temporaryFile('token', ' hf_file\n');
  const environment = { HF_TOKEN_PATH: file, HF_ENDPOINT: 'https://mirror.example/' };
  expect(hubSettings({}, environment)).toMatchObject({ token: 'hf_file', endpoint: 'https://mirror.example' });
  expect(hubSettings({}, { ...environment, HF_TOKEN: 'hf_env' }).token).toBe('hf_env');
  expect(hubSettings({ token: 'hf_given', endpoint: 'http://x' }, environment)).toMatchObject({
    token: 'hf_given',
    endpoint: 'http://x',
  });
  expect(hubSettings({}, { HF_TOKEN_PATH: '/no/such/file' }).token).toBeUndefined();
});

it('reads the ways to say offline', () => {
  for (const value of ['1', 'TRUE', 'yes', 'on'])
    expect(hubSettings({}, { HF_HUB_OFFLINE: value }).isOffline).toBe(true);
  for (const value of ['0', '', 'false']) expect(hubSettings({}, { HF_HUB_OFFLINE: value }).isOffline).toBe(false);
  expect(hubSettings({}, { TRANSFORMERS_OFFLINE: '1' }).isOffline).toBe(true);
});

it.each([
  'https://me:hf_secret@hub.example',
  'https://hf_secret@hub.example/x',
  'hf_secret',
  'ftp://hf_secret.example',
])('refuses an endpoint like %s without showing it', (HF_ENDPOINT) => {
  expect(() => hubSettings({}, { HF_TOKEN: 'x', HF_ENDPOINT })).toThrow(/^HF_ENDPOINT: (?!.*hf_secret)/);
});
