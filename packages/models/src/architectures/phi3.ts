import { fusedGatedMlp, fusedHeads, preNormBlock } from '../transformer/decoder-block.js';
import type { RopeConfig } from '../transformer/rotary.js';
import { defineArchitecture, type FamilyInput } from './architecture.js';
import { linearTensors, normTensors } from './block-tensors.js';
import { count, numbers, oneOf, parseFields, positive } from './fields.js';
import { sameWindows } from './layer-types.js';
import { checkRopeKeys, DEFAULT_BASE, inAllLayers, ropeFields, ropeSection } from './rope-fields.js';

const write = preNormBlock({ heads: fusedHeads, mlp: fusedGatedMlp('silu') });

/** Phi-3, Phi-3.5 and Phi-4 (arXiv 2404.14219): queries, keys and values in one map, both halves of the MLP in another. */
export const phi3 = defineArchitecture({
  id: 'phi3',
  className: 'Phi3',
  models: 'Phi-3, Phi-3.5 and Phi-4 (text)',
  traits: 'fused maps; a part of each head is rotated; LongRoPE for texts up to `original_max_position_embeddings`',
  defaults: { rms_norm_eps: 1e-5 },
  fields: {
    hidden_act: oneOf('silu').nullish(),
    sliding_window: count(2 ** 30).nullish(),
    original_max_position_embeddings: count(2 ** 30).default(4096),
    partial_rotary_factor: positive(1).nullish(),
  },
  configure(fields, input) {
    const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim } = input.shape;
    const rope = ropeOf(fields.original_max_position_embeddings, fields.partial_rotary_factor ?? 1, input);
    const longestText = rope.scaling?.kind === 'longrope' ? { longestText: rope.scaling.longestText } : {};
    return {
      ...inAllLayers(rope, input),
      ...longestText,
      slidingWindows: sameWindows(input, fields.sliding_window ?? undefined),
      block: {
        tensors: {
          ...normTensors(hiddenSize, 'input_layernorm', 'post_attention_layernorm'),
          ...linearTensors('self_attn.qkv_proj', (heads + 2 * keyValueHeads) * headDim, hiddenSize),
          ...linearTensors('self_attn.o_proj', hiddenSize, heads * headDim),
          ...linearTensors('mlp.gate_up_proj', 2 * intermediateSize, hiddenSize),
          ...linearTensors('mlp.down_proj', hiddenSize, intermediateSize),
        },
        write,
      },
    };
  },
});

/** `su` is the older name of `longrope`. */
const kinds = oneOf('default', 'longrope', 'su');

const longRopeFields = {
  rope_theta: ropeFields.rope_theta,
  rope_type: kinds.nullish(),
  type: kinds.nullish(),
  partial_rotary_factor: positive(1).nullish(),
  factor: positive(1e6).nullish(),
  attention_factor: positive(1e6).nullish(),
  original_max_position_embeddings: ropeFields.original_max_position_embeddings,
  short_factor: numbers(1e6).nullish(),
  long_factor: numbers(1e6).nullish(),
} as const;

/**
 * The rotary embedding: of a first part of each head, and plain or LongRoPE, whose factors for longer texts than those of
 * pretraining are never used, as longer texts are refused.
 */
function ropeOf(original: number, topPart: number, input: FamilyInput): RopeConfig {
  const { raw, refuse, shape, maxPositionEmbeddings } = input;
  const { name, section } = ropeSection(raw);
  checkRopeKeys(section, Object.keys(longRopeFields), name, input);
  const read = parseFields(longRopeFields, section, refuse, `${name}.`);
  const dims = Math.trunc(shape.headDim * (read.partial_rotary_factor ?? topPart));
  if (dims % 2 !== 0 || dims === 0)
    refuse('partial_rotary_factor', 'one that gives an even number of dimensions', dims);
  const base = { theta: read.rope_theta ?? ((raw.rope_theta ?? DEFAULT_BASE) as number), dims };
  if ((read.rope_type ?? read.type ?? 'default') === 'default') return base;
  const factors = read.short_factor ?? [];
  if (factors.length !== dims / 2) refuse(`${name}.short_factor`, `a list of ${dims / 2} numbers`, read.short_factor);
  const inside = read.original_max_position_embeddings ?? original;
  if (inside !== original) {
    refuse(`${name}.original_max_position_embeddings`, `${original}, as beside ${name}`, inside);
  }
  const growth = read.factor ?? maxPositionEmbeddings / original;
  const amplitude = growth <= 1 ? 1 : Math.sqrt(1 + Math.log(growth) / Math.log(original));
  return {
    ...base,
    scaling: { kind: 'longrope', factors, amplitude: read.attention_factor ?? amplitude, longestText: original },
  };
}
