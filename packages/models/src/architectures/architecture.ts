import type { z } from 'zod';
import type { TransformerConfig, TransformerShape } from '../transformer/transformer-config.js';
import type { RawConfig, Refuse } from './fields.js';

/** What a family reads its own part of config.json with. */
export interface FamilyInput {
  readonly shape: TransformerShape;
  readonly maxPositionEmbeddings: number;
  /** config.json as it is. */
  readonly raw: RawConfig;
  readonly refuse: Refuse;
}

/** What a family adds to the sizes; where it says nothing, norms and embeddings are stored as they are used. */
export interface FamilyConfig
  extends Pick<TransformerConfig, 'ropes' | 'layerRopes' | 'slidingWindows' | 'block'>,
    Partial<Pick<TransformerConfig, 'normOffset' | 'embeddingScale' | 'scoreScale' | 'scoreCap' | 'logitCap'>> {
  /** Tokens of the longest text that it was made for, where that is not `max_position_embeddings`. */
  readonly longestText?: number;
}

/** A family of models: all that is its own. */
export interface Architecture<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** `model_type` of its config.json. */
  readonly id: string;
  /** What the names of its classes in transformers begin with. */
  readonly className: string;
  /** The class of its reward models, where that is not `className` with `ForSequenceClassification`. */
  readonly scorerClass?: string;
  /** Which models are of it; for tables. */
  readonly models: string;
  /** What is its own beside RMS norms before attention and MLP, SwiGLU and rotary embeddings; for tables. */
  readonly traits: string;
  /** What transformers takes where config.json does not say. */
  readonly defaults: {
    readonly num_key_value_heads?: number;
    readonly head_dim?: number;
    readonly rms_norm_eps: number;
    readonly tie_word_embeddings?: boolean;
  };
  /** Fields of config.json that it reads beside those of every family. */
  readonly fields: Shape;
  /** Fields that change no number in this family, with the reason. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** @throws MetaapoError with code `checkpoint` for what it does not support */
  configure(fields: z.output<z.ZodObject<Shape>>, input: FamilyInput): FamilyConfig;
}

/** Declares a family; `configure` sees its fields as the schema gives them. */
export function defineArchitecture<Shape extends z.ZodRawShape>(family: Architecture<Shape>): Architecture {
  return family as unknown as Architecture;
}
