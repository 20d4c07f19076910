import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FloatNumber } from '@metaapo/core/contracts';
import { afterEach, expect, it } from 'vitest';
import { localModel } from '../local-model/local-model.js';
import { loadTokenizer } from './load-tokenizer.js';
import { copyTokenizerFiles } from './tokenizer-files.js';

const FIXTURES = new URL('../../../../fixtures/tokenizers/', import.meta.url).pathname;
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function withTemplate(template: string | { name: string; template: string }[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'template-'));
  directories.push(directory);
  cpSync(`${FIXTURES}gpt2/tokenizer.json`, join(directory, 'tokenizer.json'));
  const config = { eos_token: '</s>', image_token: '<s>', chat_template: template };
  writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify(config));
  return directory;
}

const ask = { role: 'user', content: 'Hi' };

it('gives templates the named tokens, and nothing where there is none', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{{ eos_token }}{{ bos_token is defined }}{{ tools is none }}'));
  expect(tokenizer.renderChat([ask])).toBe('</s>FalseTrue');
});

it('gives templates whole messages, without keys that hold nothing, and a reasoning under each of its names', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{{ messages[0] | tojson }}'));
  const message = { role: 'assistant', content: null, name: 'x', tool_calls: [{ id: 1 }], thinking: 'so' };
  expect(JSON.parse(tokenizer.renderChat([message]))).toEqual({
    role: 'assistant',
    name: 'x',
    tool_calls: [{ id: 1 }],
    thinking: 'so',
    reasoning_content: 'so',
  });
});

it('prints floats that are whole as Python does', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{{ messages[0].by | tojson }} {{ messages[0].by[0] }}'));
  expect(tokenizer.renderChat([{ ...ask, by: [new FloatNumber(1), 1, 2.5] }])).toBe('[1.0, 1, 2.5] 1.0');
});

it('takes the template for tools where tools are given', async () => {
  const named = [
    { name: 'default', template: 'plain' },
    { name: 'tool_use', template: '{{ tools | length }} tools' },
  ];
  const tokenizer = await loadTokenizer(withTemplate(named));
  expect([tokenizer.renderChat([ask]), tokenizer.renderChat([ask], { tools: [{}] })]).toEqual(['plain', '1 tools']);
});

it('takes templates that lie beside the default one, and saves them with it', async () => {
  const directory = withTemplate('of the settings');
  mkdirSync(join(directory, 'additional_chat_templates'));
  writeFileSync(join(directory, 'chat_template.jinja'), 'plain');
  writeFileSync(join(directory, 'additional_chat_templates', 'tool_use.jinja'), '{{ tools | length }} tools');
  const saved = mkdtempSync(join(tmpdir(), 'template-'));
  directories.push(saved);
  await copyTokenizerFiles(directory, saved);
  for (const place of [directory, saved]) {
    const tokenizer = await loadTokenizer(place);
    expect([tokenizer.renderChat([ask]), tokenizer.renderChat([ask], { tools: [{}] })]).toEqual(['plain', '1 tools']);
  }
});

it('hands arguments over', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{{ enable_thinking | default("unset") }}'));
  expect(tokenizer.renderChat([ask])).toBe('unset');
  expect(tokenizer.renderChat([ask], { templateArguments: { enable_thinking: false } })).toBe('False');
});

it('refuses what the template never looks at', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{% for m in messages %}{{ m.content }}{% endfor %}'));
  const call = { role: 'assistant', tool_calls: [{ function: { name: 'f' } }] };
  expect(() => tokenizer.renderChat([ask, call])).toThrow(/does not read tool_calls/);
  expect(() => tokenizer.renderChat([ask], { tools: [{}] })).toThrow(/does not read tools/);
  expect(() => tokenizer.renderChat([ask], { templateArguments: { thinking: true } })).toThrow(
    /does not read thinking/,
  );
  expect(tokenizer.renderChat([{ ...call, content: 'x', tool_calls: [] }], { tools: [] })).toBe('x');
});

it('writes one date, and counts it in the fingerprint where the template asks for it', async () => {
  const [dated, plain] = [withTemplate('{{ strftime_now("%A, %d %b %Y") }}'), withTemplate('x')];
  const [day, next] = [new Date('2024-05-06T07:00:00'), new Date('2024-05-07T07:00:00')];
  const tokenizer = await loadTokenizer(dated, { templateDate: day });
  expect(tokenizer.renderChat([ask])).toBe('Monday, 06 May 2024');
  const key = async (directory: string, templateDate: Date) =>
    (await loadTokenizer(directory, { templateDate })).fingerprint;
  expect(await key(dated, next)).not.toBe(tokenizer.fingerprint);
  expect(await key(dated, day)).toBe(tokenizer.fingerprint);
  expect(await key(plain, next)).toBe(await key(plain, day));
  const [once, again] = [await loadTokenizer(dated), await loadTokenizer(dated)];
  expect(once.fingerprint).toBe(again.fingerprint);
});

it('refuses templates when they are loaded, in words that do not blame the data', async () => {
  await expect(loadTokenizer(withTemplate('{{ messages | pprint }}'))).rejects.toThrow(
    /cannot be rendered exactly.*the filter pprint/,
  );
  await expect(loadTokenizer(withTemplate('{% if %}'))).rejects.toThrow(/cannot be read/);
});

it('blames the messages where the template refuses them', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{{ raise_exception("roles must alternate") }}'));
  expect(() => tokenizer.renderChat([ask])).toThrow(/refuses the messages: roles must alternate.*roles user/);
});

it('refuses a template that does not end', async () => {
  const endless =
    '{% macro f() %}{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}{% endmacro %}{{ f() }}';
  const tokenizer = await loadTokenizer(withTemplate(endless));
  expect(() => tokenizer.renderChat([ask])).toThrow(/more than \d+ steps/);
});

it('refuses a template that calls itself without an end', async () => {
  const tokenizer = await loadTokenizer(withTemplate('{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'));
  expect(() => tokenizer.renderChat([ask])).toThrow(/calls itself too deeply/);
});

it('writes the day that the source of its model was told of', async () => {
  const path = withTemplate('{{ strftime_now("%Y-%m-%d") }}');
  cpSync(new URL('../../../../fixtures/quickstart/model', import.meta.url).pathname, path, { recursive: true });
  writeFileSync(join(path, 'chat_template.jinja'), '{{ strftime_now("%Y-%m-%d") }}');
  const context = { report: () => undefined, templateDate: new Date(2024, 1, 29) };
  const { tokenizer } = await localModel({ path }, context).describe();
  expect(tokenizer!.renderChat([ask])).toBe('2024-02-29');
});
