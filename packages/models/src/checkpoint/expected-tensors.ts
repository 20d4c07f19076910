import type { LanguageModelConfig } from './model-config.js';

/** The head of a reward model: one row. */
export const SCORE_WEIGHT = 'score.weight';

/** Names and shapes of all weights of a model, as its checkpoint has them. */
export function expectedTensors(config: LanguageModelConfig): ReadonlyMap<string, readonly number[]> {
  const { hiddenSize, vocabularySize, layers, block } = config;
  const tensors = new Map<string, readonly number[]>([
    ['model.embed_tokens.weight', [vocabularySize, hiddenSize]],
    ['model.norm.weight', [hiddenSize]],
  ]);
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, shape] of Object.entries(block.tensors)) tensors.set(`model.layers.${layer}.${name}`, shape);
  }
  if (config.task === 'sequence-classification') tensors.set(SCORE_WEIGHT, [1, hiddenSize]);
  else if (!config.tieWordEmbeddings) tensors.set('lm_head.weight', [vocabularySize, hiddenSize]);
  return tensors;
}
