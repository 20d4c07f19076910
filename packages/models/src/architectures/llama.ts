import { gatedMlp, preNormBlock, separateHeads } from '../transformer/decoder-block.js';
import { defineArchitecture } from './architecture.js';
import { attentionTensors, mlpTensors, normTensors } from './block-tensors.js';
import { flag, oneOf } from './fields.js';
import { sameWindows } from './layer-types.js';
import { oneRope } from './rope-fields.js';

const write = preNormBlock({ heads: separateHeads('none'), mlp: gatedMlp('silu') });

/** Llama (arXiv 2302.13971) from 1 to 3.3, and the models that are written as one: Tulu, SmolLM2, Yi. */
export const llama = defineArchitecture({
  id: 'llama',
  className: 'Llama',
  models: 'Llama 1 to 3.3, Tulu 3, SmolLM2, Yi',
  traits: 'biases where config.json says so; scaling `linear` or `llama3`',
  defaults: { rms_norm_eps: 1e-6 },
  fields: {
    hidden_act: oneOf('silu').nullish(),
    attention_bias: flag().nullish(),
    mlp_bias: flag().nullish(),
  },
  ignored: { sliding_window: 'the attention of Llama has no window' },
  configure({ attention_bias, mlp_bias }, input) {
    const bias = attention_bias === true;
    return {
      ...oneRope(input),
      slidingWindows: sameWindows(input, undefined),
      block: {
        tensors: {
          ...normTensors(input.shape.hiddenSize, 'input_layernorm', 'post_attention_layernorm'),
          ...attentionTensors(input.shape, { query: bias, output: bias }),
          ...mlpTensors(input.shape, mlp_bias === true),
        },
        write,
      },
    };
  },
});
