import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  openJournal,
  openSafetensors,
  readArrays,
  readMetrics,
  requireSealed,
  sealDirectory,
} from '@metaapo/core/storage';
import { readRows } from '@metaapo/data';
import fc from 'fast-check';
import { checkedTraining } from '../../packages/cli/src/recipe/checked-recipe.js';
import { readRecipe } from '../../packages/cli/src/recipe/read-recipe.js';
import { builtInRecipe } from '../../packages/cli/src/recipe/recipe-text.js';
import { adapterBase, readModelConfig } from '../../packages/models/src/checkpoint/index.js';
import { loadTokenizer } from '../../packages/models/src/tokenizer/index.js';
import { mutatedBytes, mutatedJson, mutatedText } from './odd-inputs.js';

/** A parser that is tried with inputs that are nearly right. */
export interface FuzzTarget {
  readonly name: string;
  /** A run of the parser with one input: it may refuse with a MetaapoError, and in no other way. */
  readonly inputs: fc.Arbitrary<unknown>;
  parse(input: never): unknown;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'metaapo-fuzz-'));

function target<Input>(name: string, inputs: fc.Arbitrary<Input>, parse: (input: Input) => unknown): FuzzTarget {
  return { name, inputs, parse: parse as FuzzTarget['parse'] };
}

/** A file with this content. */
function fileOf(name: string, content: string | Uint8Array): string {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items) {
    // Only that it ends, or refuses.
  }
}

/** A copy of a model with one file of it written anew. */
function modelWith(file: string, content: string): string {
  const model = join(directory, `model-${file}`);
  cpSync(join(root, 'fixtures', 'quickstart', 'model'), model, { recursive: true });
  writeFileSync(join(model, file), content);
  return model;
}

const json = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));
const header = {
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
  b: { dtype: 'BF16', shape: [2], data_offsets: [8, 12] },
};

function tensorsOf(text: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  return Buffer.concat([length, Buffer.from(text), Buffer.alloc(12)]);
}

const headerText = fc.oneof(
  mutatedJson(header).map((value) => JSON.stringify(value)),
  mutatedText(JSON.stringify(header)),
);
const adapter = { peft_type: 'LORA', r: 2, lora_alpha: 4, target_modules: ['q_proj'], base_model_name_or_path: 'a/b' };
const row = { prompt: 'a', chosen: [{ role: 'user', content: 'b' }], rejected: [{ role: 'user', content: 'c' }] };
const progress = {
  format: 3,
  recipe: 'a',
  data: 'b',
  step: 1,
  optimizerStep: 1,
  numTokens: 1,
  numbers: {},
  hasArrays: false,
};
const metrics = '{"step":1,"loss":0.5}\n{"step":2,"loss":null}\n';

/** Every parser of a file, a recipe or a flag; further ones are added here. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  target('safetensors', headerText, async (text) => {
    const opened = await openSafetensors(fileOf('a.safetensors', tensorsOf(text)));
    await opened.close();
    await readArrays(opened.file);
  }),
  target('journal', mutatedText('{"kind":"a","n":1,"check":"0123456789abcdef"}\n'), async (text) => {
    const file = fileOf('journal.jsonl', text);
    await (await openJournal(file)).append({ kind: 'b' });
    await openJournal(file);
  }),
  target('metrics', mutatedText(metrics), (text) => readMetrics(fileOf('metrics.jsonl', text))),
  target('recipe', mutatedText(builtInRecipe('dpo')), (text) =>
    checkedTraining({ name: fileOf('recipe.yaml', text), objective: 'preference' }),
  ),
  target('set', mutatedText('training.adamBetas=[0.9, {a: &b [1], c: *b}]'), (text) => readRecipe('dpo', [text])),
  target(
    'parquet',
    mutatedBytes(readFileSync(join(root, 'packages/data/test/fixtures/messages-snappy.parquet'))),
    (bytes) => drain(readRows(fileOf('rows.parquet', bytes))),
  ),
  target('json-lines', mutatedText(`${JSON.stringify(row)}\n`), (text) => drain(readRows(fileOf('rows.jsonl', text)))),
  target('config', mutatedJson(json('fixtures/quickstart/model/config.json')), (value) =>
    readModelConfig(modelWith('config.json', JSON.stringify(value) ?? '')),
  ),
  target('adapter-config', mutatedJson(adapter), (value) => {
    mkdirSync(join(directory, 'adapter'), { recursive: true });
    writeFileSync(join(directory, 'adapter', 'adapter_config.json'), JSON.stringify(value) ?? '');
    return adapterBase(join(directory, 'adapter'));
  }),
  target('tokenizer', mutatedJson(json('fixtures/quickstart/model/tokenizer.json')), (value) =>
    loadTokenizer(modelWith('tokenizer.json', JSON.stringify(value) ?? '')),
  ),
  target('tokenizer-config', mutatedJson(json('fixtures/quickstart/model/tokenizer_config.json')), (value) =>
    loadTokenizer(modelWith('tokenizer_config.json', JSON.stringify(value) ?? '')),
  ),
  target('checkpoint', mutatedJson(progress), async (value) => {
    const checkpoint = join(directory, 'checkpoint');
    mkdirSync(checkpoint, { recursive: true });
    writeFileSync(join(checkpoint, 'progress.json'), JSON.stringify(progress));
    await sealDirectory(checkpoint);
    writeFileSync(join(checkpoint, 'progress.json'), JSON.stringify(value) ?? '');
    await requireSealed(checkpoint);
  }),
];
