import type { ConfigReader, RawConfig } from './config-reader.js';

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Fields that decide numbers, and are read and checked. */
const READ = words(`
  architectures attention_bias dtype eos_token_id bos_token_id pad_token_id head_dim hidden_act hidden_size id2label
  intermediate_size layer_types max_position_embeddings max_window_layers mlp_bias model_type num_attention_heads
  num_hidden_layers num_key_value_heads num_labels rms_norm_eps rope_parameters rope_scaling rope_theta sliding_window
  tie_word_embeddings torch_dtype use_sliding_window vocab_size
`);

/** Fields that change no log-probability, whatever they say: names, bookkeeping, initialisation, defaults of sampling. */
const NEUTRAL = words(`
  label2id problem_type finetuning_task task_specific_params keys_to_ignore_at_inference initializer_range pretraining_tp
  use_cache transformers_version transformers.js_config is_llama_config is_decoder tokenizer_class prefix
  unk_token_id sep_token_id cls_token_id mask_token_id decoder_start_token_id image_token_id bos_token eos_token pad_token
  tokenizer_model_max_length tokenizer_padding_side model_max_length max_sequence_length max_seq_len seq_length
  return_dict use_return_dict output_attentions output_hidden_states output_scores return_dict_in_generate torchscript
  gradient_checkpointing use_bfloat16 attn_implementation use_flash_attn use_flash_attention use_flash_attention_2
  max_length max_new_tokens min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature
  top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids
  num_return_sequences remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
  forced_bos_token_id forced_eos_token_id name_or_path base_model_name
`);

/** Fields that change numbers unless they have this value. */
const NEUTRAL_VALUES: Readonly<Record<string, unknown>> = {
  attention_dropout: 0,
  attn_pdrop: 0,
  classifier_dropout: 0,
  dropout: 0,
  embd_pdrop: 0,
  hidden_dropout: 0,
  hidden_dropout_prob: 0,
  resid_pdrop: 0,
  chunk_size_feed_forward: 0,
  partial_rotary_factor: 1,
};

const KNOWN = new Set([...READ, ...NEUTRAL]);

/** Fields of tools that describe how the file came about. */
const isPrivate = (field: string): boolean => field.startsWith('_') || field.startsWith('unsloth_');

/** True for what switches a setting off: null, false, an empty list or object. */
function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/**
 * Refuses every field that is not known to change no number: a setting that is passed over would give wrong numbers
 * silently.
 * @throws MetaapoError with code `checkpoint` that names the field
 */
export function checkFields(raw: RawConfig, read: ConfigReader): void {
  for (const [field, value] of Object.entries(raw)) {
    if (KNOWN.has(field) || isPrivate(field) || isOff(value)) continue;
    const neutral = NEUTRAL_VALUES[field];
    if (neutral === value) continue;
    read.refuse(field, neutral === undefined ? 'no such field' : `${neutral}`, value);
  }
}
