import type { RopeConfig } from '../transformer/rotary.js';
import type { FamilyConfig, FamilyInput } from './architecture.js';
import { count, object, oneOf, parseFields, positive, type RawConfig } from './fields.js';

/** Largest base of rotary embeddings, and largest factor. */
const [LARGEST_BASE, LARGEST_FACTOR] = [1e12, 1e6];

/** A section of rotary embeddings; `type` is the older name of `rope_type`. */
export const ropeFields = {
  rope_theta: positive(LARGEST_BASE).nullish(),
  rope_type: oneOf('default', 'linear', 'llama3').nullish(),
  type: oneOf('default', 'linear', 'llama3').nullish(),
  factor: positive(LARGEST_FACTOR).nullish(),
  low_freq_factor: positive(LARGEST_FACTOR).nullish(),
  high_freq_factor: positive(LARGEST_FACTOR).nullish(),
  original_max_position_embeddings: count(2 ** 30).nullish(),
  partial_rotary_factor: oneOf(1).nullish(),
} as const;

/** The fields of rotary embeddings at the top of config.json. */
export const topRopeFields = {
  rope_theta: positive(LARGEST_BASE).nullish(),
  rope_scaling: object().nullish(),
  rope_parameters: object().nullish(),
} as const;

/** The section of config.json that says how embeddings are scaled: `rope_scaling` goes first, as in transformers. */
export function ropeSection(raw: RawConfig): { readonly name: string; readonly section: RawConfig } {
  const isSaid = (value: unknown): boolean => Object.keys((value ?? {}) as RawConfig).length > 0;
  const name = isSaid(raw.rope_scaling) ? 'rope_scaling' : 'rope_parameters';
  return { name, section: (raw[name] ?? {}) as RawConfig };
}

/** @throws MetaapoError with code `checkpoint` for a key of a section that is not among those which are read */
export function checkRopeKeys(
  section: RawConfig,
  known: readonly string[],
  name: string,
  { refuse }: FamilyInput,
): void {
  for (const [key, value] of Object.entries(section)) {
    const isSaid = value !== undefined && value !== null;
    if (isSaid && !known.includes(key)) refuse(`${name}.${key}`, 'no such field', value);
  }
}

/** A whole head rotated, as a section says; bases are looked for at `theta` where it has none. */
export function ropeIn(section: RawConfig, name: string, input: FamilyInput, theta: number): RopeConfig {
  checkRopeKeys(section, Object.keys(ropeFields), name, input);
  const prefix = `${name}.`;
  const read = parseFields(ropeFields, section, input.refuse, prefix);
  const kind = read.rope_type ?? read.type ?? 'default';
  const base = { theta: read.rope_theta ?? theta, dims: input.shape.headDim };
  const needed = (field: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number =>
    read[field] ?? input.refuse(`${prefix}${field}`, 'a number above 0', undefined);
  if (kind === 'default') return base;
  if (kind === 'linear') return { ...base, scaling: { kind, factor: needed('factor') } };
  return {
    ...base,
    scaling: {
      kind,
      factor: needed('factor'),
      lowFreqFactor: needed('low_freq_factor'),
      highFreqFactor: needed('high_freq_factor'),
      originalMaxPositionEmbeddings: read.original_max_position_embeddings ?? input.maxPositionEmbeddings,
    },
  };
}

/** Base of rotary embeddings where config.json does not say. */
export const DEFAULT_BASE = 10_000;

/** One rotary embedding of all layers, as config.json states it in either dialect. */
export function oneRope(input: FamilyInput): Pick<FamilyConfig, 'ropes' | 'layerRopes'> {
  const top = parseFields(topRopeFields, input.raw, input.refuse);
  const { name, section } = ropeSection(input.raw);
  return inAllLayers(ropeIn(section, name, input, top.rope_theta ?? DEFAULT_BASE), input);
}

/** One rotary embedding of all layers. */
export function inAllLayers(rope: RopeConfig, { shape }: FamilyInput): Pick<FamilyConfig, 'ropes' | 'layerRopes'> {
  return { ropes: [rope], layerRopes: new Array<number>(shape.layers).fill(0) };
}
