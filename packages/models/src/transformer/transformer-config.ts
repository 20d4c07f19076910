import type { AttentionForm } from './attention-tiles.js';
import type { RopeConfig } from './rotary.js';

/** The numbers that the transformer's mathematics needs; `LanguageModelConfig` has them all. */
export interface TransformerConfig {
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly rmsNormEps: number;
  readonly tieWordEmbeddings: boolean;
  readonly rope: RopeConfig;
  /** Window of each layer's attention; `undefined` sees everything. */
  readonly slidingWindows: readonly (number | undefined)[];
  /** Whether queries and keys are normalised a head before the rotation (Qwen3). */
  readonly qkNorm: boolean;
  readonly task: 'causal-lm' | 'sequence-classification';
}

/** A transformer with the form of its passes. */
export type PassConfig = TransformerConfig & AttentionForm;
