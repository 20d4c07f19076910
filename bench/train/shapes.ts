/** A model shape with the rows it is trained on. */
export interface BenchShape {
  readonly name: string;
  readonly summary: string;
  /** config.json of a random model. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly pairs: number;
  readonly promptTokens: number;
  readonly responseTokens: number;
  /** Tokens of a micro-batch of ours, and of the longest prompt with a response; default 3072 and 4096. */
  readonly microBatchTokens?: number;
  readonly longestRow?: number;
  /** Pairs of a micro-batch of the peer; default 8. */
  readonly peerPairs?: number;
}

const llama = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
  bos_token_id: 1,
  eos_token_id: 2,
  ...fields,
});

const SMALL = {
  vocab_size: 8192,
  hidden_size: 256,
  num_hidden_layers: 8,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  intermediate_size: 768,
};

const qwen = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  hidden_act: 'silu',
  vocab_size: 151936,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  max_position_embeddings: 32768,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
  eos_token_id: 151645,
  ...fields,
});

/** The shapes by name. */
export const SHAPES: Readonly<Record<string, BenchShape>> = {
  T: {
    name: 'T',
    summary: '0.1M parameters, 2 pairs of 16+16 tokens: to see that a bench works',
    model: llama({
      vocab_size: 512,
      hidden_size: 64,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      intermediate_size: 128,
    }),
    pairs: 2,
    promptTokens: 16,
    responseTokens: 16,
  },
  S: {
    name: 'S',
    summary: '8.4M parameters, 8 pairs of 128+128 tokens',
    model: llama(SMALL),
    pairs: 8,
    promptTokens: 128,
    responseTokens: 128,
  },
  M: {
    name: 'M',
    summary: 'SmolLM2-135M shape, 2 pairs of 128+128 tokens',
    model: llama({
      vocab_size: 49152,
      hidden_size: 576,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      intermediate_size: 1536,
    }),
    pairs: 2,
    promptTokens: 128,
    responseTokens: 128,
  },
  Q: {
    name: 'Q',
    summary: 'Qwen2.5-0.5B shape (494M parameters), 2 pairs of 128+128 tokens',
    model: qwen({
      hidden_size: 896,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      intermediate_size: 4864,
    }),
    pairs: 2,
    promptTokens: 128,
    responseTokens: 128,
  },
  B: {
    name: 'B',
    summary: 'Qwen2.5-1.5B shape, 2 pairs of 1024+1024 tokens',
    model: qwen({
      hidden_size: 1536,
      num_hidden_layers: 28,
      num_attention_heads: 12,
      num_key_value_heads: 2,
      intermediate_size: 8960,
    }),
    pairs: 2,
    promptTokens: 1024,
    responseTokens: 1024,
  },
  H: {
    name: 'H',
    summary: 'Qwen2.5-7B shape, 1 pair of 1024+1024 tokens',
    model: qwen({
      vocab_size: 152_064,
      hidden_size: 3584,
      num_hidden_layers: 28,
      num_attention_heads: 28,
      num_key_value_heads: 4,
      intermediate_size: 18_944,
      tie_word_embeddings: false,
    }),
    pairs: 1,
    promptTokens: 1024,
    responseTokens: 1024,
  },
  L: {
    name: 'L',
    summary: 'S with rows of 8192 tokens: 1 pair of 4096+4096',
    model: llama({ ...SMALL, max_position_embeddings: 8192 }),
    pairs: 1,
    promptTokens: 4096,
    responseTokens: 4096,
    microBatchTokens: 16_384,
    longestRow: 8192,
    peerPairs: 1,
  },
  P: {
    name: 'P',
    summary: 'S with rows as they are in practice: 2 pairs of 1024+1024 tokens',
    model: llama(SMALL),
    pairs: 2,
    promptTokens: 1024,
    responseTokens: 1024,
    microBatchTokens: 8192,
    peerPairs: 2,
  },
  V: {
    name: 'V',
    summary: "S with Qwen2.5's vocabulary of 152064: 1 pair of 128+2048 tokens",
    model: llama({ ...SMALL, vocab_size: 152_064, max_position_embeddings: 4096 }),
    pairs: 1,
    promptTokens: 128,
    responseTokens: 2048,
  },
};
