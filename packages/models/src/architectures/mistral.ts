import { gatedMlp, preNormBlock, separateHeads } from '../transformer/decoder-block.js';
import { defineArchitecture } from './architecture.js';
import { attentionTensors, mlpTensors, normTensors } from './block-tensors.js';
import { count, oneOf } from './fields.js';
import { sameWindows } from './layer-types.js';
import { oneRope } from './rope-fields.js';

const write = preNormBlock({ heads: separateHeads('none'), mlp: gatedMlp('silu') });

/** Mistral 7B (arXiv 2310.06825) and its successors of the same kind: windows in all layers, or in none. */
export const mistral = defineArchitecture({
  id: 'mistral',
  className: 'Mistral',
  models: 'Mistral 7B, Nemo, Small',
  traits: 'windows in all layers or in none',
  defaults: { num_key_value_heads: 8, rms_norm_eps: 1e-6 },
  fields: {
    hidden_act: oneOf('silu').nullish(),
    sliding_window: count(2 ** 30)
      .nullable()
      .default(4096),
  },
  configure({ sliding_window }, input) {
    return {
      ...oneRope(input),
      slidingWindows: sameWindows(input, sliding_window ?? undefined),
      block: {
        tensors: {
          ...normTensors(input.shape.hiddenSize, 'input_layernorm', 'post_attention_layernorm'),
          ...attentionTensors(input.shape),
          ...mlpTensors(input.shape),
        },
        write,
      },
    };
  },
});
