import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMetaapoError } from '@metaapo/core/contracts';
import { float32FromFloat16, openSafetensors, readArrays, writeArrays } from '@metaapo/core/storage';
import { selectBackend } from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LanguageModel, loadLanguageModel, loadTextModel, readModelConfig } from '../src/index.js';

const fixtures = fileURLToPath(new URL('../../../fixtures', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'metaapo-checkpoints-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeAll(() => selectBackend({ prefer: 'wasm' }));

let copies = 0;

/** A copy of a model that a test may damage. */
function copyOf(model: string): string {
  const copy = join(directory, `${copies++}`);
  cpSync(join(fixtures, model), copy, { recursive: true });
  return copy;
}

/** The message with which a model is refused, after which no tensor is left. */
async function refusalOf(model: string, options = {}): Promise<string> {
  const before = tf.memory().numTensors;
  try {
    (await loadTextModel(model, options)).model.dispose();
  } catch (error) {
    if (!isMetaapoError(error)) throw error;
    expect(tf.memory().numTensors).toBe(before);
    expect(error.message).not.toContain('\n');
    return error.message;
  }
  throw new Error('the model was not refused');
}

function changeConfig(model: string, changes: Readonly<Record<string, unknown>>): string {
  const file = join(model, 'config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }));
  return model;
}

async function changeWeights(change: (weights: Record<string, { shape: number[]; values: Float32Array }>) => void) {
  const model = copyOf('models/qwen2');
  const file = join(model, 'model.safetensors');
  const weights = (await readArrays(file)) as Record<string, { shape: number[]; values: Float32Array }>;
  change(weights);
  await writeArrays(file, weights);
  return model;
}

describe('a damaged model directory', () => {
  it('without config.json or weights', async () => {
    const model = copyOf('models/qwen2');
    rmSync(join(model, 'model.safetensors'));
    expect(await refusalOf(model)).toMatch(/there are no weights.*model\.safetensors/);
    rmSync(join(model, 'config.json'));
    expect(await refusalOf(model)).toContain('config.json');
  });

  it('with weights that are cut short or no safetensors at all', async () => {
    const model = copyOf('models/qwen2');
    const file = join(model, 'model.safetensors');
    truncateSync(file, 30_000);
    expect(await refusalOf(model)).toContain(file);
    writeFileSync(file, 'not a tensor in sight');
    expect(await refusalOf(model)).toContain(file);
    const header = (text: string): string => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      writeFileSync(file, Buffer.concat([length, Buffer.from(text)]));
      return file;
    };
    for (const text of ['{"a": ', '[1]', '{"a": 3}', '{"a": {"dtype": "F32"}}']) {
      header(text);
      expect(await refusalOf(model)).toMatch(/model\.safetensors: .*Expected .*; got .*\. (Download|Save) /);
    }
  });

  it('with a shard missing, or an index that points outside of the directory', async () => {
    const model = copyOf('models/llama');
    const index = join(model, 'model.safetensors.index.json');
    const listed = JSON.parse(readFileSync(index, 'utf8')) as { weight_map: Record<string, string> };
    const shard = Object.values(listed.weight_map)[0]!;
    rmSync(join(model, shard));
    expect(await refusalOf(model)).toMatch(/-of-.*Expected .*index\.json.*got no such file\. .*Download/);
    const [tensor] = Object.keys(listed.weight_map);
    writeFileSync(index, JSON.stringify({ weight_map: { ...listed.weight_map, [tensor!]: '../model.safetensors' } }));
    expect(await refusalOf(model)).toMatch(/outside of the directory.*\.\.\/model\.safetensors/);
  });

  it('with an unknown architecture, or a setting that is not supported', async () => {
    expect(await refusalOf(changeConfig(copyOf('models/qwen2'), { model_type: 'gpt2' }))).toMatch(
      /model_type is not supported\. Expected .*qwen2.*; got "gpt2"/,
    );
    expect(await refusalOf(changeConfig(copyOf('models/llama'), { hidden_act: 'gelu' }))).toMatch(/hidden_act.*gelu/);
    const rope = { rope_parameters: { rope_type: 'yarn', rope_theta: 1e4, factor: 2 } };
    expect(await refusalOf(changeConfig(copyOf('models/llama'), rope))).toContain('yarn');
  });

  it.each([
    ['no JSON', '{'],
    ['null', 'null'],
    ['an end token that is no id', '{"eos_token_id": "</s>"}'],
  ])('with a generation_config.json that holds %s', async (_, text) => {
    const model = copyOf('models/qwen2');
    writeFileSync(join(model, 'generation_config.json'), text);
    expect(await refusalOf(model)).toMatch(/generation_config\.json: .*Expected .*got .*\. .+\./);
  });

  it('with a tensor missing, misshaped, unknown or not finite', async () => {
    const name = 'model.layers.1.mlp.up_proj.weight';
    expect(await refusalOf(await changeWeights((weights) => delete weights[name]))).toContain(name);
    expect(await refusalOf(await changeWeights((weights) => weights[name]!.shape.reverse()))).toMatch(
      /up_proj.*\[56, ?32\].*\[32, ?56\]/,
    );
    const foreign = { shape: [1], values: Float32Array.of(1) };
    expect(
      await refusalOf(await changeWeights((weights) => Object.assign(weights, { 'lm_head.scale': foreign }))),
    ).toContain('lm_head.scale');
    const model = copyOf('models/qwen2');
    const weights = await openSafetensors(join(model, 'model.safetensors'));
    const bytes = readFileSync(weights.file);
    new DataView(bytes.buffer, bytes.byteOffset).setFloat32(weights.tensors.get(name)!.begin + 20, Number.NaN, true);
    await weights.close();
    writeFileSync(weights.file, bytes);
    expect(await refusalOf(model)).toMatch(/up_proj.*NaN|NaN.*up_proj/i);
  });

  it.each(['config.json', 'tokenizer.json', 'merges.txt', 'model.safetensors'])(
    'with a link for %s that leads out of it is not read, nor copied into what is saved',
    async (name) => {
      const model = copyOf('quickstart/model');
      writeFileSync(join(directory, 'secret'), 'SECRET');
      rmSync(join(model, name), { force: true });
      symlinkSync(join(directory, 'secret'), join(model, name));
      const target = join(directory, `saved-${name}`);
      const saving = loadTextModel(model).then(({ model: loaded }) =>
        loaded.save(target).finally(() => loaded.dispose()),
      );
      await expect(saving).rejects.toThrow(/link that leaves its directory/);
      expect(existsSync(target)).toBe(false);
    },
  );

  it('with files that are links into the same entry of the cache of the hub is read', async () => {
    const entry = mkdtempSync(join(directory, 'models--owner--name-'));
    const snapshot = join(entry, 'snapshots', '0123');
    cpSync(join(fixtures, 'quickstart', 'model'), join(entry, 'blobs'), { recursive: true });
    mkdirSync(snapshot, { recursive: true });
    for (const name of readdirSync(join(entry, 'blobs'))) symlinkSync(join('../../blobs', name), join(snapshot, name));
    (await loadTextModel(snapshot)).model.dispose();
  });

  it.runIf(process.platform !== 'win32')(
    'with a pipe for config.json is refused without waiting for a writer',
    async () => {
      const model = copyOf('quickstart/model');
      rmSync(join(model, 'config.json'));
      execFileSync('mkfifo', [join(model, 'config.json')]);
      expect(await refusalOf(model)).toMatch(/config\.json: .*regular file/);
    },
  );

  it('with a tokenizer of more ids than the model has rows', async () => {
    const tokenizer = join(fixtures, 'quickstart', 'model');
    const model = await changeWeights((weights) => {
      const embeddings = weights['model.embed_tokens.weight']!;
      weights['model.embed_tokens.weight'] = { shape: [8, 32], values: embeddings.values.slice(0, 8 * 32) };
    });
    changeConfig(model, { vocab_size: 8 });
    expect(await refusalOf(model, { tokenizer })).toMatch(/more ids than the model has rows/);
  });

  it('with an adapter of another model, or of an unknown kind', async () => {
    const adapter = copyOf('models/qwen2-lora/adapter');
    const base = join(fixtures, 'models', 'qwen3');
    expect(await refusalOf(base, { adapter })).toContain('lora');
    const file = join(adapter, 'adapter_config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), peft_type: 'IA3' }));
    expect(await refusalOf(join(fixtures, 'models', 'qwen2-lora', 'base'), { adapter })).toContain('IA3');
  });
});

describe('a head in the checkpoint of a model whose config.json says that it is tied', () => {
  const groups = [{ prompt: Int32Array.of(5, 6, 7), responses: [Int32Array.of(8, 9)] }];
  const logprobOf = async (model: string, use?: (loaded: LanguageModel) => Promise<void>): Promise<number> => {
    const loaded = await loadLanguageModel(model);
    const { sumLogprobs } = await loaded.evaluate(groups);
    await use?.(loaded);
    loaded.dispose();
    return sumLogprobs[0]!;
  };
  const withHead = (change: number): Promise<string> =>
    changeWeights((weights) => {
      const { shape, values } = weights['model.embed_tokens.weight']!;
      weights['lm_head.weight'] = { shape, values: values.map((value, at) => (at === 0 ? value : value * change)) };
    });

  it('is passed over where it holds the same numbers', async () => {
    const model = await withHead(1);
    expect(await logprobOf(model)).toBe(await logprobOf(join(fixtures, 'models/qwen2')));
  });

  it('is used where it holds others, trained, and saved as such', async () => {
    const [model, saved] = [await withHead(0.5), join(directory, 'saved-head')];
    const untied = changeConfig(await withHead(0.5), { tie_word_embeddings: false });
    const expected = await logprobOf(untied);
    expect(expected).not.toBeCloseTo(await logprobOf(join(fixtures, 'models/qwen2')), 1);
    expect(await logprobOf(model, (loaded) => loaded.save(saved))).toBe(expected);
    expect(await logprobOf(saved)).toBe(expected);
    expect(JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8')).tie_word_embeddings).toBe(false);
  });
});

describe('tokens that the model has no row for', () => {
  it('are refused in a pass, and not by the tokenizer where they are added ones', async () => {
    const loaded = await loadLanguageModel(join(fixtures, 'models/qwen2'));
    for (const id of [96, -1]) {
      const groups = [{ prompt: Int32Array.of(5, id), responses: [Int32Array.of(7)] }];
      await expect(loaded.evaluate(groups)).rejects.toThrow(`token ${id} has no row in the model`);
      const predicted = [{ prompt: Int32Array.of(5), responses: [Int32Array.of(id)] }];
      await expect(loaded.evaluate(predicted)).rejects.toThrow(`token ${id} has no row in the model`);
    }
    loaded.dispose();
    const quickstart = copyOf('quickstart/model');
    const file = join(quickstart, 'tokenizer.json');
    const tokenizer = JSON.parse(readFileSync(file, 'utf8'));
    const { vocabularySize } = await readModelConfig(quickstart);
    tokenizer.added_tokens.push({ id: vocabularySize + 3, content: '<pad>', special: true });
    writeFileSync(file, JSON.stringify(tokenizer));
    const opened = await loadTextModel(quickstart);
    opened.model.dispose();
    expect(opened.tokenizer!.vocabularySize).toBe(vocabularySize + 4);
    expect(opened.vocabularySize).toBe(vocabularySize);
  });
});

describe('a saved model', () => {
  it('holds the same numbers, and no more files than it needs', async () => {
    const source = join(fixtures, 'models', 'llama3-rope');
    const model = await loadLanguageModel(source);
    const target = join(directory, 'saved');
    await model.save(target);
    model.dispose();
    const [saved, original] = [
      await readArrays(join(target, 'model.safetensors')),
      await readArrays(join(source, 'model.safetensors')),
    ];
    expect(Object.keys(saved).sort()).toEqual(Object.keys(original).sort());
    for (const [name, { values }] of Object.entries(original)) expect(saved[name]!.values).toEqual(values);
    const again = await loadLanguageModel(target);
    expect(again.config).toEqual(model.config);
    again.dispose();
  });
});

describe('weights in float16', () => {
  /** Bits of numbers in float16, cut to its eleven bits; too small ones become 0. */
  const float16Of = (values: Float32Array): Uint16Array =>
    Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => {
      const exponent = ((bits >>> 23) & 0xff) - 112;
      return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
    });

  function writeFloat16(file: string, arrays: Awaited<ReturnType<typeof readArrays>>): void {
    let offset = 0;
    const entries = Object.entries(arrays).map(([name, { shape, values }]) => {
      const begin = offset;
      offset += 2 * values.length;
      return [name, { dtype: 'F16', shape, data_offsets: [begin, offset] }] as const;
    });
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const data = Object.values(arrays).map(({ values }) => Buffer.from(float16Of(values).buffer));
    writeFileSync(file, Buffer.concat([length, header, ...data]));
  }

  it('are the numbers that they stand for', async () => {
    const [narrow, wide] = [copyOf('models/qwen2'), copyOf('models/qwen2')];
    const arrays = await readArrays(join(narrow, 'model.safetensors'));
    writeFloat16(join(narrow, 'model.safetensors'), arrays);
    const rounded = Object.entries(arrays).map(([name, { shape, values }]) => {
      return [name, { shape, values: float32FromFloat16(float16Of(values)) }] as const;
    });
    await writeArrays(join(wide, 'model.safetensors'), Object.fromEntries(rounded));
    const group = { prompt: Int32Array.of(5, 9), responses: [Int32Array.of(33, 70, 2)] };
    const logprobs = await Promise.all(
      [changeConfig(narrow, { dtype: 'float16' }), wide].map(async (path) => {
        const model = await loadLanguageModel(path);
        const { sumLogprobs } = await model.evaluate([group]);
        model.dispose();
        return sumLogprobs[0]!;
      }),
    );
    expect(logprobs[0]).toBe(logprobs[1]);
    expect(logprobs[0]).toBeLessThan(0);
  });
});
