import type { z } from 'zod';
import type { FamilyInput } from './architecture.js';
import { count, flag, index } from './fields.js';

/** What a layer attends to. */
export type LayerType = 'full_attention' | 'sliding_attention';

/** Windows of layers; `undefined` sees everything. */
export type Windows = readonly (number | undefined)[];

/**
 * `layer_types` of config.json, or those of `otherwise` where it has none.
 * @throws MetaapoError with code `checkpoint` when there are too few, or others
 */
export function layerTypesOf(
  { raw, shape, refuse }: FamilyInput,
  otherwise: (layer: number) => LayerType,
): readonly LayerType[] {
  const types = raw.layer_types ?? undefined;
  if (types === undefined) return Array.from({ length: shape.layers }, (_, layer) => otherwise(layer));
  if (!Array.isArray(types) || types.length < shape.layers) {
    return refuse('layer_types', `a list of ${shape.layers} layers`, types);
  }
  const other = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (other !== undefined) refuse('layer_types', 'full_attention or sliding_attention', other);
  return types.slice(0, shape.layers) as LayerType[];
}

/** The window of layers that slide, none of the others. */
export function windowsOf(types: readonly LayerType[], window: number): Windows {
  return types.map((type) => (type === 'sliding_attention' ? window : undefined));
}

/**
 * One window of all layers, or none.
 * @throws MetaapoError with code `checkpoint` when `layer_types` says otherwise: transformers passes it over in such models
 */
export function sameWindows(input: FamilyInput, window: number | undefined): Windows {
  const type = window === undefined ? 'full_attention' : 'sliding_attention';
  const types = layerTypesOf(input, () => type);
  const other = types.find((one) => one !== type);
  if (other !== undefined) input.refuse('layer_types', `${type} in all layers, by what sliding_window says`, other);
  return types.map(() => window);
}

/** Fields of windows that begin at a layer. */
export const lateWindowFields = {
  use_sliding_window: flag().nullish(),
  sliding_window: count(2 ** 30)
    .nullable()
    .default(4096),
  max_window_layers: index().default(28),
} as const;

/**
 * Windows from layer `max_window_layers` on, or where `layer_types` says so; none unless `use_sliding_window`.
 * @throws MetaapoError with code `checkpoint` when layers are said to slide and no window is in use
 */
export function lateWindows(fields: z.output<z.ZodObject<typeof lateWindowFields>>, input: FamilyInput): Windows {
  const window = fields.use_sliding_window === true ? fields.sliding_window : null;
  if (window === null) return sameWindows(input, undefined);
  const typeOf = (layer: number): LayerType =>
    layer >= fields.max_window_layers ? 'sliding_attention' : 'full_attention';
  return windowsOf(layerTypesOf(input, typeOf), window);
}
