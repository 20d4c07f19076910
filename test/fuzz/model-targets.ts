import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openSafetensors } from '@metaapo/core/storage';
import fc from 'fast-check';
import { openAdapter } from '../../packages/models/src/checkpoint/adapter.js';
import { adapterBase, openCheckpoint, readModelConfig } from '../../packages/models/src/checkpoint/index.js';
import { chatRenderer } from '../../packages/models/src/tokenizer/chat-renderer.js';
import { type LoadedTokenizer, loadTokenizer } from '../../packages/models/src/tokenizer/index.js';
import { DIRECTORY, type FuzzTarget, fileOf, jsonText, ROOT, target } from './fuzz-target.js';
import { mutatedJson, mutatedJsonText, mutatedText } from './odd-inputs.js';
import { requireRustAccepts } from './rust-safetensors.js';
import { templateText } from './template-text.js';

const json = (path: string): unknown => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
const copies = new Set<string>();

/** A copy of a directory with one file of it written anew. */
function directoryWith(source: string, file: string, content: string): string {
  const copy = join(DIRECTORY, source.replaceAll('/', '-'), file);
  if (!copies.has(copy)) {
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(join(ROOT, source), copy, { recursive: true });
    copies.add(copy);
  }
  writeFileSync(join(copy, file), content);
  return copy;
}

/** A model's directory with one file of it written anew. */
const modelWith = (file: string, content: string): string => directoryWith('fixtures/quickstart/model', file, content);

const header = {
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
  b: { dtype: 'BF16', shape: [2], data_offsets: [8, 12] },
  c: { dtype: 'F32', shape: [0], data_offsets: [12, 12] },
};

/** A file of tensors with this header; the length is that of the header and so many bytes more. */
function tensorsOf(text: string, more: number): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Buffer.byteLength(text) + more)));
  return Buffer.concat([length, Buffer.from(text), Buffer.alloc(12)]);
}

const tensors = fc
  .tuple(
    fc.oneof(
      mutatedJson(header).map(jsonText),
      mutatedText(JSON.stringify(header), ['"a":', '{', '}', ',', '0', '1e1', '-0', '\\ud800', ' ', '\n', '\u0000']),
    ),
    fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer() }),
  )
  .map(([text, more]) => tensorsOf(text, more));

const index = {
  metadata: { total_size: 12 },
  weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
};
const adapter = json('fixtures/adapters/plain/adapter_config.json');
const CONFIGS = ['qwen2', 'llama', 'gemma2', 'gemma3-text', 'mistral', 'olmo2', 'phi3', 'qwen3', 'llama-reward'].map(
  (name) => json(`fixtures/models/${name}/config.json`),
);
const TOKENIZERS = ['gpt2', 'llama3', 'unigram', 'word-piece', 'metaspace-first', 'added-with-flags'];

const MESSAGES = [
  { role: 'system', content: 'Be kind.' },
  { role: 'user', content: 'Hello' },
  {
    role: 'assistant',
    content: 'Hi',
    tool_calls: [{ type: 'function', function: { name: 'f', arguments: { a: 1 } } }],
  },
];
const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }];

function renderAll(text: string): void {
  const files = { chatTemplates: { default: text }, directory: 'model', tokenizer: {}, config: {}, text: '' };
  const chat = chatRenderer(files, { bos_token: '<s>', eos_token: '</s>' }, {});
  chat.render(MESSAGES.slice(0, 2), { addGenerationPrompt: true });
  if (/\btools\b/.test(text) && /\btool_calls\b/.test(text)) chat.render(MESSAGES, { tools: TOOLS });
}

async function useTokenizer(tokenizer: LoadedTokenizer): Promise<void> {
  const ids = tokenizer.encode('Hello wörld  \n<s>', { addSpecialTokens: true });
  tokenizer.decode(ids);
  await tokenizer.encodeBatch(['a', '']);
  if (tokenizer.hasChatTemplate) tokenizer.renderChat(MESSAGES.slice(0, 2), { addGenerationPrompt: true });
}

const engines = fc.constantFrom('embedded' as const, undefined);

/** What is read of model directories. */
export const MODEL_TARGETS: readonly FuzzTarget[] = [
  target('safetensors', tensors, async (bytes) => {
    const opened = await openSafetensors(fileOf('a.safetensors', bytes));
    for (const name of opened.tensors.keys()) await opened.read(name);
    await opened.close();
    await requireRustAccepts(bytes);
  }),
  target('safetensors-index', mutatedJsonText(index), async (text) => {
    const directory = directoryWith('packages/hub/test', 'model.safetensors.index.json', text);
    for (const file of Object.values(index.weight_map))
      writeFileSync(join(directory, file), tensorsOf('{}', 0).subarray(0, 10));
    await (await openCheckpoint(directory)).close();
  }),
  target('config', fc.oneof(...CONFIGS.map(mutatedJsonText)), (text) =>
    readModelConfig(modelWith('config.json', text)),
  ),
  target('adapter-config', mutatedJsonText(adapter), async (text) => {
    const directory = directoryWith('fixtures/adapters/plain', 'adapter_config.json', text);
    await adapterBase(directory);
    const { weights } = await openAdapter(directory, ['model.layers.0.self_attn.q_proj']);
    await weights.close();
  }),
  target(
    'tokenizer',
    fc.tuple(
      fc.oneof(
        ...TOKENIZERS.map((name) => mutatedJson(json(`fixtures/tokenizers/${name}/tokenizer.json`)).map(jsonText)),
      ),
      engines,
    ),
    async ([text, engine]) => useTokenizer(await loadTokenizer(modelWith('tokenizer.json', text), { engine })),
  ),
  target('tokenizer-config', mutatedJsonText(json('fixtures/quickstart/model/tokenizer_config.json')), async (text) =>
    useTokenizer(await loadTokenizer(modelWith('tokenizer_config.json', text), { engine: 'embedded' })),
  ),
  target('chat-template', templateText, renderAll),
];
