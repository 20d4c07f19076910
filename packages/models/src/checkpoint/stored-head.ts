import type { LanguageModelConfig } from './model-config.js';
import { openCheckpoint } from './open-checkpoint.js';

/** The matrix that turns hidden states into logits, where it is not that of the embeddings. */
export const HEAD_WEIGHT = 'lm_head.weight';

/**
 * The config of a model that is said to have a tied head, as its weights have it: where the checkpoint holds a head with
 * other numbers than the embeddings, the head is the model's, as in transformers, and what is saved says so.
 */
export async function withStoredHead(config: LanguageModelConfig, directory: string): Promise<LanguageModelConfig> {
  const checkpoint = await openCheckpoint(directory);
  try {
    if (!checkpoint.shapes.has(HEAD_WEIGHT) || !checkpoint.shapes.has(EMBEDDINGS)) return config;
    const [head, embeddings] = [await checkpoint.read(HEAD_WEIGHT), await checkpoint.read(EMBEDDINGS)];
    const isSame = head.length === embeddings.length && head.every((value, at) => value === embeddings[at]);
    if (isSame) return config;
    return { ...config, tieWordEmbeddings: false, raw: { ...config.raw, tie_word_embeddings: false } };
  } finally {
    await checkpoint.close();
  }
}

const EMBEDDINGS = 'model.embed_tokens.weight';
