import { gatedMlp, preNormBlock, separateHeads } from '../transformer/decoder-block.js';
import { defineArchitecture } from './architecture.js';
import { attentionTensors, mlpTensors, normTensors } from './block-tensors.js';
import { flag, oneOf } from './fields.js';
import { lateWindowFields, lateWindows } from './layer-types.js';
import { oneRope } from './rope-fields.js';

const write = preNormBlock({ heads: separateHeads('each'), mlp: gatedMlp('silu') });

/** The dense Qwen3 (arXiv 2505.09388): every head of queries and keys is normalised before the rotation. */
export const qwen3 = defineArchitecture({
  id: 'qwen3',
  className: 'Qwen3',
  models: 'Qwen3 (dense)',
  traits: 'each head of queries and keys is normalised',
  defaults: { num_key_value_heads: 32, head_dim: 128, rms_norm_eps: 1e-6 },
  fields: { hidden_act: oneOf('silu').nullish(), attention_bias: flag().nullish(), ...lateWindowFields },
  configure({ attention_bias, ...windows }, input) {
    const bias = attention_bias === true;
    return {
      ...oneRope(input),
      slidingWindows: lateWindows(windows, input),
      block: {
        tensors: {
          ...normTensors(input.shape.hiddenSize, 'input_layernorm', 'post_attention_layernorm'),
          ...attentionTensors(input.shape, { query: bias, output: bias }),
          ...normTensors(input.shape.headDim, 'self_attn.q_norm', 'self_attn.k_norm'),
          ...mlpTensors(input.shape),
        },
        write,
      },
    };
  },
});
