import type { RopeConfig } from '../transformer/rotary.js';
import { type ConfigReader, configReader, type RawConfig } from './config-reader.js';

/** Keys of the section that are read; `type` is the older name of `rope_type`. */
const KEYS = [
  'rope_theta',
  'rope_type',
  'type',
  'factor',
  'low_freq_factor',
  'high_freq_factor',
  'original_max_position_embeddings',
];

/**
 * Rotary embeddings of a config.json in either dialect: `rope_theta` with `rope_scaling`, or `rope_parameters`.
 * @throws MetaapoError with code `checkpoint` that names the field which is not supported
 */
export function ropeOf(raw: RawConfig, file: string, read: ConfigReader): RopeConfig {
  const section = isPresent(raw.rope_parameters) ? 'rope_parameters' : 'rope_scaling';
  const scaling = read.object(section) ?? {};
  const inside = configReader(scaling, file, `${section}.`);
  checkKeys(scaling, inside);
  const theta = inside.positive('rope_theta', read.positive('rope_theta', 10_000));
  const kind = scaling.rope_type ?? scaling.type ?? 'default';
  if (kind === 'default') return { theta };
  if (kind === 'linear') return { theta, scaling: { kind, factor: inside.positive('factor') } };
  if (kind !== 'llama3') return inside.refuse('rope_type', 'default, linear or llama3', kind);
  return {
    theta,
    scaling: {
      kind,
      factor: inside.positive('factor'),
      lowFreqFactor: inside.positive('low_freq_factor'),
      highFreqFactor: inside.positive('high_freq_factor'),
      originalMaxPositionEmbeddings: inside.count('original_max_position_embeddings'),
    },
  };
}

function checkKeys(section: RawConfig, read: ConfigReader): void {
  for (const [key, value] of Object.entries(section)) {
    const isNeutral = key === 'partial_rotary_factor' && value === 1;
    if (isPresent(value) && !isNeutral && !KEYS.includes(key)) read.refuse(key, 'no such field', value);
  }
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;
