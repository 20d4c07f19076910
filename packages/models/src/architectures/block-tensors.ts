import type { BlockTensors } from '../transformer/decoder-block.js';
import type { TransformerShape } from '../transformer/transformer-config.js';

type Shapes = Record<string, readonly number[]>;

/** Weights of normalisations of `size` numbers. */
export function normTensors(size: number, ...names: readonly string[]): BlockTensors {
  return Object.fromEntries(names.map((name) => [`${name}.weight`, [size]]));
}

/** The four normalisations of a block that normalises what goes in and what comes out. */
export function sandwichNormTensors(size: number): BlockTensors {
  const names = ['input', 'post_attention', 'pre_feedforward', 'post_feedforward'];
  return normTensors(size, ...names.map((name) => `${name}_layernorm`));
}

/** A linear map `[rows, columns]`, with a bias where there is one. */
export function linearTensors(module: string, rows: number, columns: number, hasBias = false): BlockTensors {
  const tensors: Shapes = { [`${module}.weight`]: [rows, columns] };
  if (hasBias) tensors[`${module}.bias`] = [rows];
  return tensors;
}

/** `q_proj`, `k_proj`, `v_proj` and `o_proj`. */
export function attentionTensors(
  { hiddenSize, heads, keyValueHeads, headDim }: TransformerShape,
  biases: { readonly query: boolean; readonly output: boolean } = { query: false, output: false },
): BlockTensors {
  return {
    ...linearTensors('self_attn.q_proj', heads * headDim, hiddenSize, biases.query),
    ...linearTensors('self_attn.k_proj', keyValueHeads * headDim, hiddenSize, biases.query),
    ...linearTensors('self_attn.v_proj', keyValueHeads * headDim, hiddenSize, biases.query),
    ...linearTensors('self_attn.o_proj', hiddenSize, heads * headDim, biases.output),
  };
}

/** `gate_proj`, `up_proj` and `down_proj`. */
export function mlpTensors({ hiddenSize, intermediateSize }: TransformerShape, hasBias = false): BlockTensors {
  return {
    ...linearTensors('mlp.gate_proj', intermediateSize, hiddenSize, hasBias),
    ...linearTensors('mlp.up_proj', intermediateSize, hiddenSize, hasBias),
    ...linearTensors('mlp.down_proj', hiddenSize, intermediateSize, hasBias),
  };
}
