import { gatedMlp, preNormBlock, separateHeads } from '../transformer/decoder-block.js';
import { defineArchitecture } from './architecture.js';
import { attentionTensors, mlpTensors, normTensors } from './block-tensors.js';
import { oneOf } from './fields.js';
import { lateWindowFields, lateWindows } from './layer-types.js';
import { oneRope } from './rope-fields.js';

const write = preNormBlock({ heads: separateHeads('none'), mlp: gatedMlp('silu') });

/** Qwen2 and Qwen2.5 (arXiv 2407.10671): biases of queries, keys and values, and windows from a layer on. */
export const qwen2 = defineArchitecture({
  id: 'qwen2',
  className: 'Qwen2',
  models: 'Qwen2, Qwen2.5',
  traits: 'biases of queries, keys and values; windows from a layer on',
  defaults: { num_key_value_heads: 32, rms_norm_eps: 1e-6 },
  fields: { hidden_act: oneOf('silu').nullish(), ...lateWindowFields },
  ignored: {
    attention_bias: 'queries, keys and values of Qwen2 have biases, and the output has none, whatever it says',
  },
  configure(fields, input) {
    return {
      ...oneRope(input),
      slidingWindows: lateWindows(fields, input),
      block: {
        tensors: {
          ...normTensors(input.shape.hiddenSize, 'input_layernorm', 'post_attention_layernorm'),
          ...attentionTensors(input.shape, { query: true, output: false }),
          ...mlpTensors(input.shape),
        },
        write,
      },
    };
  },
});
