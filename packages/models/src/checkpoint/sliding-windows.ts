import type { ConfigReader, RawConfig } from './config-reader.js';

/** What transformers takes where config.json does not say. */
const DEFAULTS = { window: 4096, firstWindowedLayer: 28 } as const;

/**
 * Window of each layer's attention; `undefined` sees everything.
 * @throws MetaapoError with code `checkpoint` that names the field which is not supported
 */
export function slidingWindowsOf(
  raw: RawConfig,
  architecture: string,
  layers: number,
  read: ConfigReader,
): (number | undefined)[] {
  const isQwen = architecture.startsWith('qwen');
  const types = layerTypesOf(raw, layers, read);
  const isUsed = raw.sliding_window !== null && (isQwen ? raw.use_sliding_window === true : architecture === 'mistral');
  if (!isUsed) return new Array<undefined>(layers).fill(undefined);
  const window = read.count('sliding_window', DEFAULTS.window);
  // 0 is a layer too, so this is no count.
  const first = isQwen ? ((raw.max_window_layers as number | undefined) ?? DEFAULTS.firstWindowedLayer) : 0;
  const isWindowed = (layer: number): boolean =>
    types === undefined ? layer >= first : types[layer] === 'sliding_attention';
  return Array.from({ length: layers }, (_, layer) => (isWindowed(layer) ? window : undefined));
}

function layerTypesOf(raw: RawConfig, layers: number, read: ConfigReader): readonly unknown[] | undefined {
  const types = raw.layer_types ?? undefined;
  if (types === undefined) return undefined;
  if (!Array.isArray(types) || types.length < layers) return read.refuse('layer_types', `${layers} layers`, types);
  const other = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (other !== undefined) read.refuse('layer_types', 'full_attention or sliding_attention', other);
  return types;
}
