import type { LanguageModelConfig } from './model-config.js';

/** Names and shapes of all weights of a model, as its checkpoint has them. */
export function expectedTensors(config: LanguageModelConfig): ReadonlyMap<string, readonly number[]> {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, vocabularySize, biases } = config;
  const tensors = new Map<string, readonly number[]>([
    ['model.embed_tokens.weight', [vocabularySize, hiddenSize]],
    ['model.norm.weight', [hiddenSize]],
  ]);
  const add = (module: string, rows: number, columns: number, hasBias: boolean): void => {
    tensors.set(`${module}.weight`, [rows, columns]);
    if (hasBias) tensors.set(`${module}.bias`, [rows]);
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `model.layers.${layer}`;
    tensors.set(`${name}.input_layernorm.weight`, [hiddenSize]);
    tensors.set(`${name}.post_attention_layernorm.weight`, [hiddenSize]);
    add(`${name}.self_attn.q_proj`, heads * headDim, hiddenSize, biases.query);
    add(`${name}.self_attn.k_proj`, keyValueHeads * headDim, hiddenSize, biases.query);
    add(`${name}.self_attn.v_proj`, keyValueHeads * headDim, hiddenSize, biases.query);
    add(`${name}.self_attn.o_proj`, hiddenSize, heads * headDim, biases.output);
    if (config.qkNorm) {
      tensors.set(`${name}.self_attn.q_norm.weight`, [headDim]);
      tensors.set(`${name}.self_attn.k_norm.weight`, [headDim]);
    }
    add(`${name}.mlp.gate_proj`, intermediateSize, hiddenSize, biases.mlp);
    add(`${name}.mlp.up_proj`, intermediateSize, hiddenSize, biases.mlp);
    add(`${name}.mlp.down_proj`, hiddenSize, intermediateSize, biases.mlp);
  }
  if (config.task === 'sequence-classification') tensors.set('score.weight', [1, hiddenSize]);
  else if (!config.tieWordEmbeddings) tensors.set('lm_head.weight', [vocabularySize, hiddenSize]);
  return tensors;
}
