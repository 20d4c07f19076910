import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeRandomModel } from '@metaapo/models';
import { tokenizerFiles } from '../../fixtures/quickstart/tokenizer-files.js';

const VOCABULARY = 4096;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

const CONFIG = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  vocab_size: VOCABULARY,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  max_position_embeddings: 512,
  attention_bias: false,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
  eos_token_id: 2,
};

/** Writes a Qwen3 of 0.35 million random float32 parameters, with the characters of the quickstart and syllables for tokens. */
export async function writeRandomQwen3(directory: string): Promise<void> {
  await writeRandomModel(directory, CONFIG, 1, 0.1);
  const { vocabulary, contents } = tokenizerFiles();
  const tokenizer = JSON.parse(contents['tokenizer.json']!);
  tokenizer.model.vocab = withSyllables(vocabulary);
  const settings = { ...JSON.parse(contents['tokenizer_config.json']!), model_max_length: 512 };
  const files = {
    ...contents,
    'tokenizer.json': JSON.stringify(tokenizer),
    'tokenizer_config.json': JSON.stringify(settings),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
}

/** As many tokens as the model predicts: what it writes can be read. No merge leads to a syllable, so no text becomes one. */
function withSyllables(characters: Readonly<Record<string, number>>): Record<string, number> {
  const vocabulary = { ...characters };
  const [first, size] = [Object.keys(vocabulary).length, LETTERS.length];
  for (let id = first; id < VOCABULARY; id++) {
    const at = id - first;
    const letters = [at % size, Math.floor(at / size) % size, Math.floor(at / size ** 2)].map((one) => LETTERS[one]!);
    vocabulary[letters.join('')] = id;
  }
  return vocabulary;
}
