import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uniformOf } from '@metaapo/core/numerics';
import { afterAll, describe, expect, it } from 'vitest';
import { HARMLESS_FIELDS, harmlessBecause } from '../architectures/harmless-fields.js';
import { ARCHITECTURES } from '../architectures/index.js';
import { rotaryAngles } from '../transformer/rotary.js';
import { type LanguageModelConfig, normalise, readModelConfig, withScoreHead } from './model-config.js';

const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  vocab_size: 96,
};
const qwen2 = { ...llama, architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2' };
const mistral = { ...llama, architectures: ['MistralForCausalLM'], model_type: 'mistral' };
const full = Array.from({ length: 4 }, () => 'full_attention');
const nothing = [undefined, undefined, undefined, undefined];
/** A config without the file that it is from. */
const numbersOf = ({ raw: _, ...numbers }: LanguageModelConfig) => numbers;
const read = (config: Readonly<Record<string, unknown>>) => normalise(config, 'config.json');

describe('config.json as published models have it', () => {
  const llama3Scaling = {
    factor: 8,
    high_freq_factor: 4,
    low_freq_factor: 1,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  };
  it.each([
    [
      'Llama 3.1, Tulu 3',
      {
        ...llama,
        _name_or_path: 'meta-llama/Llama-3.1-8B',
        attention_bias: false,
        attention_dropout: 0.0,
        bos_token_id: 128000,
        eos_token_id: [128001, 128008, 128009],
        head_dim: 16,
        initializer_range: 0.02,
        mlp_bias: false,
        pad_token_id: 128256,
        pretraining_tp: 1,
        rope_scaling: llama3Scaling,
        rope_theta: 500000.0,
        tie_word_embeddings: false,
        torch_dtype: 'bfloat16',
        transformers_version: '4.43.4',
        use_cache: false,
      },
    ],
    [
      'Llama in the newer dialect',
      {
        ...llama,
        dtype: 'bfloat16',
        rope_parameters: { ...llama3Scaling, rope_theta: 500000.0 },
        quantization_config: null,
      },
    ],
    [
      'SmolLM2',
      {
        ...llama,
        is_llama_config: true,
        rope_interleaved: false,
        rope_scaling: null,
        rope_theta: 100000,
        tie_word_embeddings: true,
        torch_dtype: 'bfloat16',
        'transformers.js_config': { kv_cache_dtype: { q4f16: 'float16', fp16: 'float16' } },
      },
    ],
    [
      'Qwen 2.5',
      {
        ...qwen2,
        attention_dropout: 0.0,
        max_window_layers: 21,
        rope_theta: 1000000.0,
        sliding_window: 32768,
        use_mrope: false,
        use_sliding_window: false,
        torch_dtype: 'bfloat16',
        unsloth_version: '2024.9',
      },
    ],
    [
      'Qwen 2.5 in the newer dialect',
      {
        ...qwen2,
        dtype: 'bfloat16',
        layer_types: full,
        max_window_layers: 28,
        rope_parameters: { rope_theta: 1000000.0, rope_type: 'default' },
        sliding_window: null,
        use_sliding_window: false,
      },
    ],
    [
      'Qwen 3',
      {
        ...llama,
        architectures: ['Qwen3ForCausalLM'],
        model_type: 'qwen3',
        head_dim: 16,
        attention_bias: false,
        max_window_layers: 28,
        rope_scaling: null,
        sliding_window: null,
        use_sliding_window: false,
      },
    ],
    ['Mistral 0.3', { ...mistral, sliding_window: null, rope_theta: 1000000.0, attention_dropout: 0.0 }],
    [
      'a reward model with what old versions write',
      {
        ...llama,
        architectures: ['LlamaForSequenceClassification'],
        id2label: { 0: 'LABEL_0' },
        label2id: { LABEL_0: 0 },
        problem_type: null,
        pad_token_id: 0,
        return_dict: true,
        temperature: 1.0,
        top_k: 50,
        max_length: 20,
        pruned_heads: {},
        chunk_size_feed_forward: 0,
        tie_encoder_decoder: false,
        is_decoder: false,
        bad_words_ids: null,
      },
    ],
  ])('accepts %s', (_, config) => {
    expect(read(config).slidingWindows).toEqual(nothing);
  });
});

describe('families that differ from Llama in more', () => {
  it('Gemma 2 has windows in every other layer, bounds scores and logits, and has a tied head', () => {
    const gemma2 = {
      ...llama,
      architectures: ['Gemma2ForCausalLM'],
      model_type: 'gemma2',
      hidden_act: 'gelu_pytorch_tanh',
      cache_implementation: 'hybrid',
      attn_logit_softcapping: null,
    };
    const { rms_norm_eps: _, num_key_value_heads: __, ...plain } = gemma2;
    const config = read(plain);
    expect(config.slidingWindows).toEqual([4096, undefined, 4096, undefined]);
    expect(config).toMatchObject({ headDim: 256, keyValueHeads: 4, rmsNormEps: 1e-6, tieWordEmbeddings: true });
    expect(config).toMatchObject({ scoreScale: 1 / 16, scoreCap: undefined, logitCap: 30, embeddingScale: 8 });
    expect(() => read({ ...plain, hidden_activation: 'gelu' })).toThrow('hidden_activation');
    expect(read({ ...plain, sliding_window_size: 4096 }).slidingWindows).toEqual(config.slidingWindows);
    expect(() => read({ ...plain, sliding_window_size: 2048 })).toThrow('sliding_window_size');
    expect(() => read({ ...plain, use_bidirectional_attention: true })).toThrow('use_bidirectional_attention');
  });

  it('Gemma 3 has a rotary embedding of its own in layers with a window, in either dialect', () => {
    const gemma3 = { ...llama, architectures: ['Gemma3ForCausalLM'], model_type: 'gemma3_text', hidden_act: undefined };
    const scaling = { rope_type: 'linear', factor: 8 };
    const old = read({ ...gemma3, sliding_window_pattern: 2, rope_scaling: scaling, rope_local_base_freq: 5e3 });
    const parameters = {
      full_attention: { ...scaling, rope_theta: 1e6 },
      sliding_attention: { rope_type: 'default', rope_theta: 5e3 },
    };
    const types = ['sliding_attention', 'full_attention', 'sliding_attention', 'full_attention'];
    const young = read({ ...gemma3, layer_types: types, rope_parameters: parameters });
    expect(young.ropes).toEqual([
      { theta: 1e6, dims: 256, scaling: { kind: 'linear', factor: 8 } },
      { theta: 5e3, dims: 256 },
    ]);
    expect(young.layerRopes).toEqual([1, 0, 1, 0]);
    const { raw: _, ...numbers } = young;
    expect(old).toMatchObject(numbers);
    expect(() => read({ ...gemma3, rope_parameters: { rope_theta: 1e4 } })).toThrow('rope_parameters.rope_theta');
    expect(() => read({ ...gemma3, rope_scaling: { ...scaling, factor: 0 } })).toThrow('rope_scaling.factor');
    expect(withScoreHead(young).raw.architectures).toEqual(['Gemma3TextForSequenceClassification']);
  });

  const phi3 = { ...llama, architectures: ['Phi3ForCausalLM'], model_type: 'phi3', max_position_embeddings: 131072 };
  const longrope = { type: 'longrope', short_factor: [1, 1.1, 1.2, 1.3], long_factor: [2, 3, 4, 5] };

  it('Phi-3 has LongRoPE with the factors of texts as long as those of pretraining', () => {
    const code = { AutoConfig: 'configuration_phi3.Phi3Config', AutoModelForCausalLM: 'modeling_phi3.Phi3ForCausalLM' };
    const config = read({
      ...phi3,
      rope_scaling: longrope,
      partial_rotary_factor: 0.5,
      auto_map: code,
      resid_pdrop: 0.1,
    });
    expect(config.maxPositionEmbeddings).toBe(4096);
    const amplitude = Math.sqrt(1 + Math.log(32) / Math.log(4096));
    const scaling = { kind: 'longrope', factors: longrope.short_factor, amplitude, longestText: 4096 };
    expect(config.ropes).toEqual([{ theta: 1e4, dims: 8, scaling }]);
    expect(() => rotaryAngles(Int32Array.of(0, 4095), config.ropes[0]!)).not.toThrow();
    expect(() => rotaryAngles(Int32Array.of(0, 4096), config.ropes[0]!)).toThrow(/too long.*4096/);
  });

  it.each([
    ['rope_scaling.short_factor', { rope_scaling: { ...longrope, short_factor: [1] } }],
    ['rope_scaling.type', { rope_scaling: { ...longrope, type: 'yarn' } }],
    [
      'rope_scaling.original_max_position_embeddings',
      { rope_scaling: { ...longrope, original_max_position_embeddings: 8 } },
    ],
    ['partial_rotary_factor', { partial_rotary_factor: 0.01 }],
  ])('Phi-3 is refused with another %s', (field, change) => {
    expect(() => read({ ...phi3, partial_rotary_factor: 0.5, ...change })).toThrow(field);
  });
});

describe('what transformers takes where config.json does not say', () => {
  it.each([
    ['a window of 4096 in Mistral', mistral, [4096, 4096, 4096, 4096]],
    ['none in Llama', { ...llama, sliding_window: 1024 }, nothing],
    [
      'windows from a layer on in Qwen 2',
      { ...qwen2, use_sliding_window: true, sliding_window: 8, max_window_layers: 3 },
      [undefined, undefined, undefined, 8],
    ],
    ['windows from layer 28 on in Qwen 2', { ...qwen2, use_sliding_window: true }, nothing],
  ])('%s', (_, config, windows) => {
    expect(read(config).slidingWindows).toEqual(windows);
  });

  const defaults: Readonly<Record<string, { readonly given: Readonly<Record<string, unknown>> }>> = JSON.parse(
    readFileSync(new URL('../../../../fixtures/models/defaults.json', import.meta.url), 'utf8'),
  );

  it.each(ARCHITECTURES.map(({ id }) => [id] as const))('%s has its numbers', (id) => {
    const { given, ...expected } = defaults[id]!;
    const got = read(given);
    expect({
      key_value_heads: got.keyValueHeads,
      head_dim: got.headDim,
      rms_norm_eps: got.rmsNormEps,
      tie_word_embeddings: got.tieWordEmbeddings,
      score_scale: got.scoreScale,
      score_cap: got.scoreCap ?? null,
      logit_cap: got.logitCap ?? null,
      windows: got.slidingWindows.map((window) => window ?? null),
      bases: got.layerRopes.map((rope) => got.ropes[rope]!.theta),
    }).toEqual(expected);
  });
});

describe('a field that changes no log-probability', () => {
  it.each([
    ['dropout of a training', { attention_dropout: 0.1, resid_pdrop: 0.1, embd_pdrop: 0.05 }],
    ['a class behind a wrapper', { architectures: ['FSDPLlamaForCausalLM'] }],
    ['a class of somebody else', { architectures: ['MyLlama'] }],
    ['no class', { architectures: null }],
    ['the name of a head that it does not have', { value_head_prefix: 'value_head' }],
    [
      'code that transformers has taken over',
      { auto_map: { AutoModelForCausalLM: 'a/b--modeling_llama.LlamaForCausalLM' } },
    ],
    ['a padding token without a row', { pad_token_id: 96 }],
    ['no padding token', { pad_token_id: -1 }],
    ['several end tokens', { eos_token_id: [2, 7, 9] }],
  ])('is accepted: %s', (_, change) => {
    expect(read({ ...llama, ...change }).task).toBe('causal-lm');
  });

  it.each([
    ['the class of its reward models', { architectures: ['RewardModel'] }, 'score.weight'],
    ['the class that they had before', { architectures: ['LLMForSequenceRegression'] }, 'score.weight'],
    ['a head in a class of its own', { architectures: ['Mine'], value_head_prefix: 'value_head' }, 'value_head.weight'],
    ['what rewards are normalised by', { normalize_reward: false, mean: 1, std: 2 }, 'score.weight'],
  ])('tells reward models of OpenRLHF by %s', (_, change, tensor) => {
    const { task, rewardHead } = read({ ...llama, ...change });
    expect(task).toBe('sequence-classification');
    expect(rewardHead).toEqual({ owner: 'openrlhf', tensor, normalisation: undefined });
  });

  it('tells classifiers by the ending of the class alone', () => {
    expect(read({ ...llama, architectures: ['FSDPMyLlamaForSequenceClassification'] }).task).toBe(
      'sequence-classification',
    );
  });

  it('gives all end tokens', () => {
    expect(read({ ...llama, eos_token_id: [2, 7] }).eosTokenIds).toEqual([2, 7]);
    expect(read({ ...llama, eos_token_id: 2 }).eosTokenIds).toEqual([2]);
    expect(() => read({ ...llama, eos_token_id: [2, '</s>'] })).toThrow('eos_token_id');
  });
});

describe('any other key', () => {
  const names = Array.from({ length: 400 }, (_, at) => {
    const letters = Array.from(
      { length: 3 + (at % 12) },
      (__, letter) => 97 + Math.floor(26 * uniformOf(['key', at, letter])),
    );
    return String.fromCharCode(...letters);
  });
  const values = [true, false, 0, 1, -0.5, 1e9, 'x', ['a'], { b: 1 }, null, [], {}];

  it.each(ARCHITECTURES.map(({ id }) => [id] as const))('is refused by %s, or says nothing', (model_type) => {
    const plain = { ...llama, model_type, architectures: null, hidden_act: undefined };
    const before = numbersOf(read(plain));
    for (const [at, name] of [
      ...names,
      'no_rope_layers',
      'is_causal',
      'use_rope',
      'attention_sinks',
      'rope_pct',
    ].entries()) {
      for (const value of [
        values[at % values.length],
        values[(at + 1) % values.length],
        values[(at + 5) % values.length],
      ]) {
        const reason = harmlessBecause(name, value);
        if (reason === undefined)
          expect(() => read({ ...plain, [name]: value }), name).toThrow(`${name} is not supported`);
        else expect(numbersOf(read({ ...plain, [name]: value })), reason).toEqual(before);
      }
    }
  });

  it('is harmless without a value alone, unless it is on the list', () => {
    const harmless = names.filter((name) => values.some((value) => harmlessBecause(name, value) !== undefined));
    expect(harmless).toEqual(names);
    for (const name of names) {
      const accepted = values.filter((value) => harmlessBecause(name, value) !== undefined);
      expect(accepted, name).toEqual([null, [], {}]);
    }
  });

  it('is honoured with its reason where it is on the list', () => {
    for (const [name, reason] of HARMLESS_FIELDS) {
      expect(reason.length, name).toBeGreaterThan(8);
      for (const value of [true, 1, 0.25, 'x']) {
        expect(numbersOf(read({ ...llama, [name]: value })), name).toEqual(numbersOf(read(llama)));
      }
    }
  });
});

describe('a number that no model has', () => {
  const numeric = Object.entries(llama).flatMap(([name, value]) => (typeof value === 'number' ? [name] : []));
  const absurd = [0, -1, 1e300, Number.POSITIVE_INFINITY, Number.NaN, '64', [64], true, {}];
  it.each([...numeric, 'head_dim', 'rope_theta'])('is refused: %s', (name) => {
    for (const value of absurd) expect(() => read({ ...llama, [name]: value }), String(value)).toThrow(name);
  });

  it.each(['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings', 'rope_theta'])(
    'is refused in rope_scaling: %s',
    (name) => {
      const scaling = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
      for (const value of absurd) {
        expect(() => read({ ...llama, rope_scaling: { ...scaling, [name]: value } }), String(value)).toThrow(
          `rope_scaling.${name}`,
        );
      }
    },
  );

  it.each([
    ['sliding_window', { model_type: 'mistral' }],
    ['sliding_window', { model_type: 'qwen2', use_sliding_window: true }],
    ['max_window_layers', { model_type: 'qwen3', use_sliding_window: true }],
    ['query_pre_attn_scalar', { model_type: 'gemma2', hidden_act: undefined }],
    ['attn_logit_softcapping', { model_type: 'gemma2', hidden_act: undefined }],
    ['final_logit_softcapping', { model_type: 'gemma3_text', hidden_act: undefined }],
    ['rope_local_base_freq', { model_type: 'gemma3_text', hidden_act: undefined }],
    ['sliding_window_pattern', { model_type: 'gemma3_text', hidden_act: undefined }],
    ['original_max_position_embeddings', { model_type: 'phi3' }],
    ['partial_rotary_factor', { model_type: 'phi3' }],
  ])('is refused: %s of %o', (name, family) => {
    const zeroIsALayer = name === 'max_window_layers' ? absurd.slice(1) : absurd;
    for (const value of zeroIsALayer) {
      expect(() => read({ ...llama, architectures: null, ...family, [name]: value }), String(value)).toThrow(name);
    }
  });
});

describe('a field that would change numbers', () => {
  it.each([
    ['final_logit_softcapping', { final_logit_softcapping: 30 }],
    ['attn_logit_softcapping', { attn_logit_softcapping: 50 }],
    ['quantization_config', { quantization_config: { bits: 4 } }],
    ['auto_map', { auto_map: { AutoModelForCausalLM: 'modeling.Mine' } }],
    ['embedding_multiplier', { embedding_multiplier: 12 }],
    ['partial_rotary_factor', { partial_rotary_factor: 0.5 }],
    ['use_mrope', { use_mrope: true }],
    ['hidden_act', { hidden_act: 'gelu' }],
    ['rope_parameters.full_attention', { rope_parameters: { full_attention: { rope_theta: 1e4 } } }],
    ['rope_scaling.rope_type', { rope_scaling: { rope_type: 'yarn' } }],
    ['rope_scaling.type', { rope_scaling: { type: 'linear', factor: 2, mrope_section: [1] } }, 'mrope_section'],
    ['rope_scaling', { rope_scaling: 'linear' }],
    ['rope_scaling.factor', { rope_scaling: { type: 'linear' } }],
    ['rope_theta', { rope_theta: 'big' }],
    ['layer_types', { layer_types: ['linear_attention', ...full.slice(1)] }],
    ['layer_types', { layer_types: ['full_attention'] }],
    ['architectures', { architectures: ['LlamaForTokenClassification'] }],
    ['architectures', { architectures: ['CriticModel'], value_head_prefix: 'value_head' }],
    ['model_type', { model_type: undefined }],
    ['dtype', { dtype: 'float8_e4m3fn' }],
  ])('is refused: %s', (field, change, named = field) => {
    expect(() => read({ ...llama, ...change })).toThrow(named);
  });

  it.each([
    ['two labels', { id2label: { 0: 'a', 1: 'b' } }, /num_labels.*got 2/],
    ['labels that are no object', { id2label: 'one' }, /id2label/],
    ['a head whose name is none', { value_head_prefix: 'a.b' }, /value_head_prefix/],
    ['a deviation of 0', { normalize_reward: true, std: 0 }, /std/],
    ['a mean that is no number', { mean: 'x' }, /mean/],
  ])('is refused in a reward model: %s', (_, change, message) => {
    const reward = { ...llama, architectures: ['LlamaForSequenceClassification'] };
    expect(read({ ...reward, id2label: null }).task).toBe('sequence-classification');
    expect(() => read({ ...reward, ...change })).toThrow(message);
  });
});

describe('a config.json that holds no object', () => {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-config-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  it.each(['null', '[]', '7', '{"model_type": '])('%s', async (text) => {
    writeFileSync(join(directory, 'config.json'), text);
    await expect(readModelConfig(directory)).rejects.toMatchObject({ code: 'checkpoint' });
  });
});
