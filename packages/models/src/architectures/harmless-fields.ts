const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Fields that change no log-probability, whatever they say, by the reason. */
const BY_REASON: Readonly<Record<string, readonly string[]>> = {
  'a name or a note of who wrote the file': words(`
    name_or_path base_model_name model_name transformers_version transformers.js_config is_llama_config
    finetuning_task task_specific_params
  `),
  'labels are names of scores': words('label2id problem_type'),
  'the tokenizer has its own files': words(`
    tokenizer_class prefix bos_token eos_token pad_token unk_token_id sep_token_id cls_token_id mask_token_id
    decoder_start_token_id image_token_id tokenizer_model_max_length tokenizer_padding_side
  `),
  'how long texts may be is a setting of the recipe': words(
    'model_max_length max_sequence_length max_seq_len seq_length',
  ),
  'how weights are drawn before any training': words('initializer_range initializer_factor use_scaled_init_method'),
  'dropout is for training, and there is none here: the preference losses compare passes of one and the same network':
    words(`
    attention_dropout attn_pdrop classifier_dropout dropout embd_pdrop embedding_dropout hidden_dropout
    hidden_dropout_prob resid_pdrop resid_dropout summary_first_dropout layerdrop
  `),
  'a term of losses in Python; the recipe says what is minimised': words(`
    label_smoothing neftune_noise_alpha router_aux_loss_coef z_loss z_loss_weight
  `),
  'memory and speed of a training in Python': words(`
    gradient_checkpointing use_cache cache_implementation pretraining_tp use_bfloat16 attn_implementation
    use_flash_attn use_flash_attention use_flash_attention_2 use_memory_efficient_attention use_sdpa
    use_fused_rms_norm use_fused_swiglu use_fused_cross_entropy use_cache_quantization use_cache_kernel
    tensor_parallel_degree sequence_parallel sequence_parallel_degree torchscript
  `),
  'what a call of the Python model returns': words(`
    return_dict use_return_dict output_attentions output_hidden_states output_scores return_dict_in_generate
    keys_to_ignore_at_inference
  `),
  'a default of sampling in Python; recipes and requests say how responses are drawn': words(`
    max_length max_new_tokens min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty
    temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size
    encoder_no_repeat_ngram_size bad_words_ids num_return_sequences remove_invalid_values
    exponential_decay_length_penalty suppress_tokens begin_suppress_tokens forced_bos_token_id forced_eos_token_id
  `),
  'every supported family is a decoder': words('is_decoder'),
};

/** Fields that change numbers unless they have this value. */
const BY_VALUE: Readonly<Record<string, number>> = {
  chunk_size_feed_forward: 0,
  partial_rotary_factor: 1,
  embedding_multiplier: 1,
  residual_multiplier: 1,
  logits_scaling: 1,
  full_attn_mod: 1,
  interpolate_factor: 1,
};

/** Fields that would change numbers and are often written as switched off. */
const SWITCHES = words(`
  add_cross_attention attention_bias bias is_encoder_decoder lm_head_bias mlp_bias no_bias onnx_safe output_router_logits qkv_bias
  rope_interleaved tf_legacy_loss tie_encoder_decoder use_bias use_bidirectional_attention use_dynamic_ntk
  use_logn_attn use_mrope use_parallel_residual use_qk_norm use_sliding_window
`);

/** Fields that change no log-probability, whatever they say, each with the reason. */
export const HARMLESS_FIELDS: ReadonlyMap<string, string> = new Map(
  Object.entries(BY_REASON).flatMap(([reason, fields]) => fields.map((name) => [name, reason] as const)),
);

/**
 * Why a field of config.json that no family reads changes no number; `undefined` where it may change some.
 * @param value what it says: some fields are harmless with one value alone
 */
export function harmlessBecause(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return 'null says nothing';
  if (typeof value === 'object' && Object.keys(value).length === 0) return 'an empty list or object says nothing';
  if (value === false && SWITCHES.includes(field)) return 'it is switched off';
  if (Object.hasOwn(BY_VALUE, field) && BY_VALUE[field] === value) return `${value} leaves numbers as they are`;
  if (field.startsWith('_') || field.startsWith('unsloth_')) return 'a note of a tool to itself';
  return HARMLESS_FIELDS.get(field);
}

/** What a field that is not harmless would have to say; for messages. */
export function harmlessValue(field: string): string {
  if (SWITCHES.includes(field)) return 'false';
  return Object.hasOwn(BY_VALUE, field)
    ? `${BY_VALUE[field]}`
    : 'no such field, as nobody knows what numbers it changes';
}
