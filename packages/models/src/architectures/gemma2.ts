import { gatedMlp, sandwichNormBlock, separateHeads } from '../transformer/decoder-block.js';
import { defineArchitecture } from './architecture.js';
import { attentionTensors, mlpTensors, sandwichNormTensors } from './block-tensors.js';
import { count, flag, oneOf, positive } from './fields.js';
import { layerTypesOf, windowsOf } from './layer-types.js';
import { oneRope } from './rope-fields.js';

const write = sandwichNormBlock({ heads: separateHeads('none'), mlp: gatedMlp('gelu') });

/** Gemma 2 (arXiv 2408.00118): every other layer has a window, and attention scores and logits are bounded. */
export const gemma2 = defineArchitecture({
  id: 'gemma2',
  className: 'Gemma2',
  models: 'Gemma 2',
  traits: 'norms before and after; GELU; windows in every other layer; bounded scores and logits; tied head',
  defaults: { num_key_value_heads: 4, head_dim: 256, rms_norm_eps: 1e-6, tie_word_embeddings: true },
  fields: {
    hidden_activation: oneOf('gelu_pytorch_tanh').default('gelu_pytorch_tanh'),
    attention_bias: flag().nullish(),
    sliding_window: count(2 ** 30).default(4096),
    /** As `sliding_window`, which is read; in files of 2024. */
    sliding_window_size: count(2 ** 30).nullish(),
    query_pre_attn_scalar: positive(2 ** 24).default(256),
    attn_logit_softcapping: positive(1e6).nullable().default(50),
    final_logit_softcapping: positive(1e6).nullable().default(30),
  },
  ignored: { hidden_act: 'Gemma 2 reads hidden_activation' },
  configure(fields, input) {
    const { shape } = input;
    const types = layerTypesOf(input, (layer) => (layer % 2 === 0 ? 'sliding_attention' : 'full_attention'));
    const { sliding_window: window, sliding_window_size: other } = fields;
    if ((other ?? window) !== window) input.refuse('sliding_window_size', `${window}, as sliding_window`, other);
    const bias = fields.attention_bias === true;
    return {
      ...oneRope(input),
      slidingWindows: windowsOf(types, window),
      normOffset: 1,
      embeddingScale: Math.sqrt(shape.hiddenSize),
      scoreScale: fields.query_pre_attn_scalar ** -0.5,
      scoreCap: fields.attn_logit_softcapping ?? undefined,
      logitCap: fields.final_logit_softcapping ?? undefined,
      block: {
        tensors: {
          ...sandwichNormTensors(shape.hiddenSize),
          ...attentionTensors(shape, { query: bias, output: bias }),
          ...mlpTensors(shape),
        },
        write,
      },
    };
  },
});
