import { gatedMlp, sandwichNormBlock, separateHeads } from '../transformer/decoder-block.js';
import type { RopeConfig } from '../transformer/rotary.js';
import { defineArchitecture, type FamilyInput } from './architecture.js';
import { attentionTensors, mlpTensors, normTensors, sandwichNormTensors } from './block-tensors.js';
import { count, flag, object, oneOf, parseFields, positive } from './fields.js';
import { type LayerType, layerTypesOf, windowsOf } from './layer-types.js';
import { ropeIn } from './rope-fields.js';

const write = sandwichNormBlock({ heads: separateHeads('each'), mlp: gatedMlp('gelu') });

/** Bases of rotary embeddings where config.json does not say. */
const BASES: Readonly<Record<LayerType, number>> = { full_attention: 1e6, sliding_attention: 1e4 };

const fields = {
  hidden_activation: oneOf('gelu_pytorch_tanh').default('gelu_pytorch_tanh'),
  attention_bias: flag().nullish(),
  sliding_window: count(2 ** 30).default(4096),
  /** Every so many layers one has no window. */
  sliding_window_pattern: count(1024).default(6),
  query_pre_attn_scalar: positive(2 ** 24).default(256),
  final_logit_softcapping: positive(1e6).nullish(),
  rope_local_base_freq: positive(1e12).nullish(),
} as const;

/** The text models of Gemma 3 (arXiv 2503.19786): layers with a window have a rotary embedding of their own. */
export const gemma3Text = defineArchitecture({
  id: 'gemma3_text',
  className: 'Gemma3',
  scorerClass: 'Gemma3TextForSequenceClassification',
  models: 'Gemma 3 270M and 1B, and text models of the same kind',
  traits: 'norms before and after, and of each head; GELU; windows with a rotary embedding of their own; tied head',
  defaults: { num_key_value_heads: 4, head_dim: 256, rms_norm_eps: 1e-6, tie_word_embeddings: true },
  fields,
  ignored: {
    hidden_act: 'Gemma 3 reads hidden_activation',
    attn_logit_softcapping: 'the attention scores of Gemma 3 are normalised and not bounded, whatever it says',
  },
  configure(read, input) {
    const { shape } = input;
    const types = layerTypesOf(input, (layer) =>
      (layer + 1) % read.sliding_window_pattern === 0 ? 'full_attention' : 'sliding_attention',
    );
    const bias = read.attention_bias === true;
    return {
      ropes: [ropeOf('full_attention', input), ropeOf('sliding_attention', input)],
      layerRopes: types.map((type) => (type === 'full_attention' ? 0 : 1)),
      slidingWindows: windowsOf(types, read.sliding_window),
      normOffset: 1,
      embeddingScale: Math.sqrt(shape.hiddenSize),
      scoreScale: read.query_pre_attn_scalar ** -0.5,
      logitCap: read.final_logit_softcapping ?? undefined,
      block: {
        tensors: {
          ...sandwichNormTensors(shape.hiddenSize),
          ...attentionTensors(shape, { query: bias, output: bias }),
          ...normTensors(shape.headDim, 'self_attn.q_norm', 'self_attn.k_norm'),
          ...mlpTensors(shape),
        },
        write,
      },
    };
  },
});

/** Sections of the newer dialect, one a type of layers. */
const sections = { full_attention: object().nullish(), sliding_attention: object().nullish() } as const;

/**
 * The rotary embedding of a type of layers: in `rope_parameters` under its name, or `rope_theta` and `rope_scaling` for
 * those without a window and `rope_local_base_freq` for the others.
 */
function ropeOf(type: LayerType, input: FamilyInput): RopeConfig {
  const { raw, refuse } = input;
  const parameters = (raw.rope_parameters ?? {}) as Readonly<Record<string, unknown>>;
  const other = Object.keys(parameters).find((key) => !Object.hasOwn(sections, key));
  if (other !== undefined) refuse(`rope_parameters.${other}`, Object.keys(sections).join(', '), parameters[other]);
  const own = parseFields(sections, parameters, refuse, 'rope_parameters.')[type] ?? {};
  if (type === 'sliding_attention') {
    const base = (raw.rope_local_base_freq ?? BASES[type]) as number;
    return ropeIn(own, `rope_parameters.${type}`, input, base);
  }
  const scaled = { ...own, ...(raw.rope_scaling as object | null | undefined) };
  const name = raw.rope_scaling ? 'rope_scaling' : `rope_parameters.${type}`;
  return ropeIn(scaled, name, input, (raw.rope_theta ?? BASES[type]) as number);
}
