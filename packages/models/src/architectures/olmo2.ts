import { gatedMlp, postNormBlock, separateHeads } from '../transformer/decoder-block.js';
import { defineArchitecture } from './architecture.js';
import { attentionTensors, mlpTensors, normTensors } from './block-tensors.js';
import { flag, oneOf } from './fields.js';
import { sameWindows } from './layer-types.js';
import { oneRope } from './rope-fields.js';

const write = postNormBlock({ heads: separateHeads('together'), mlp: gatedMlp('silu') });

/** OLMo 2 (arXiv 2501.00656): what comes out is normalised, and so are all query and all key heads together. */
export const olmo2 = defineArchitecture({
  id: 'olmo2',
  className: 'Olmo2',
  models: 'OLMo 2',
  traits: 'norms after; all query and all key heads of a token are normalised together',
  defaults: { rms_norm_eps: 1e-5 },
  fields: { hidden_act: oneOf('silu').nullish(), attention_bias: flag().nullish() },
  configure({ attention_bias }, input) {
    const { hiddenSize, heads, keyValueHeads, headDim } = input.shape;
    const bias = attention_bias === true;
    return {
      ...oneRope(input),
      slidingWindows: sameWindows(input, undefined),
      block: {
        tensors: {
          ...normTensors(hiddenSize, 'post_attention_layernorm', 'post_feedforward_layernorm'),
          ...attentionTensors(input.shape, { query: bias, output: bias }),
          ...normTensors(heads * headDim, 'self_attn.q_norm'),
          ...normTensors(keyValueHeads * headDim, 'self_attn.k_norm'),
          ...mlpTensors(input.shape),
        },
        write,
      },
    };
  },
});
