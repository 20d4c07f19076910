import type { DecoderBlock } from './decoder-block.js';
import type { PassForm } from './pass-form.js';
import type { RopeConfig } from './rotary.js';

/** Sizes that every family has. */
export interface TransformerShape {
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

/** What the transformer's mathematics needs; `LanguageModelConfig` has it all. */
export interface TransformerConfig extends TransformerShape {
  readonly rmsNormEps: number;
  /** Added to the stored weights of normalisations: 1 where they are stored as what they differ from 1. */
  readonly normOffset: number;
  /** Factor of the embeddings before the first block. */
  readonly embeddingScale: number;
  readonly tieWordEmbeddings: boolean;
  /** The rotary embeddings that layers have: one, or more where layers differ. */
  readonly ropes: readonly RopeConfig[];
  /** Index in `ropes` of each layer. */
  readonly layerRopes: readonly number[];
  /** Window of each layer's attention; `undefined` sees everything. */
  readonly slidingWindows: readonly (number | undefined)[];
  /** Factor of the attention scores, mostly 1 / sqrt(headDim). */
  readonly scoreScale: number;
  /** Bound c of the scaled attention scores s, which become c * tanh(s / c). */
  readonly scoreCap?: number | undefined;
  /** Bound of the logits, likewise. */
  readonly logitCap?: number | undefined;
  readonly block: DecoderBlock;
  readonly task: 'causal-lm' | 'sequence-classification';
}

/** A transformer with the form of its passes. */
export type PassConfig = TransformerConfig & PassForm;
