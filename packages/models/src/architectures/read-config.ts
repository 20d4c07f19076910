import type { TransformerShape } from '../transformer/transformer-config.js';
import type { Architecture, FamilyConfig, FamilyInput } from './architecture.js';
import {
  count,
  endTokens,
  flag,
  object,
  oneOf,
  parseFields,
  positive,
  type RawConfig,
  type Refuse,
  refuseIn,
  tokenId,
} from './fields.js';
import { harmlessBecause, harmlessValue } from './harmless-fields.js';
import { ARCHITECTURES } from './index.js';
import { topRopeFields } from './rope-fields.js';

const dtype = oneOf('float32', 'bfloat16', 'float16', 'torch.float32', 'torch.bfloat16', 'torch.float16');

/** Fields that every family has. */
const commonFields = {
  vocab_size: count(),
  hidden_size: count(2 ** 17),
  intermediate_size: count(2 ** 20),
  num_hidden_layers: count(1024),
  num_attention_heads: count(1024),
  max_position_embeddings: count(2 ** 30),
  ...topRopeFields,
  dtype: dtype.nullish(),
  torch_dtype: dtype.nullish(),
  eos_token_id: endTokens().nullish(),
  bos_token_id: tokenId().nullish(),
  pad_token_id: tokenId().nullish(),
  id2label: object().nullish(),
  num_labels: count().nullish(),
} as const;

/** Fields that every family has, with a default of its own. */
const fieldsWith = ({ defaults }: Architecture) => ({
  num_key_value_heads: count(1024).nullish(),
  head_dim: count(2 ** 14).nullish(),
  rms_norm_eps: positive(1).default(defaults.rms_norm_eps),
  tie_word_embeddings: flag().nullish(),
});

/** Fields that are read elsewhere: names of classes, layers and heads. */
const NAMES = [
  'architectures',
  'auto_map',
  'layer_types',
  'model_type',
  'value_head_prefix',
  'normalize_reward',
  'mean',
  'std',
];

/** A config.json as its family means it. */
export interface ReadConfig {
  readonly architecture: Architecture;
  readonly common: ReturnType<typeof parseCommon>;
  readonly shape: TransformerShape;
  readonly family: FamilyConfig;
}

/**
 * Reads and checks a parsed config.json. What is neither read nor known to change no number is refused: a setting that is
 * passed over would give wrong numbers silently.
 * @param file for messages
 * @throws MetaapoError with code `checkpoint` that names the field which is missing or not supported
 */
export function readConfig(raw: RawConfig, file: string): ReadConfig {
  const refuse = refuseIn(file);
  const architecture = ARCHITECTURES.find(({ id }) => id === raw.model_type);
  if (architecture === undefined) {
    return refuse('model_type', ARCHITECTURES.map(({ id }) => id).join(', '), raw.model_type);
  }
  checkFields(raw, architecture, refuse);
  const common = parseCommon(raw, architecture, refuse);
  const shape = shapeOf(common, architecture, refuse);
  const input: FamilyInput = { shape, maxPositionEmbeddings: common.max_position_embeddings, raw, refuse };
  const family = architecture.configure(parseFields(architecture.fields, raw, refuse), input);
  return { architecture, common, shape, family };
}

function parseCommon(raw: RawConfig, architecture: Architecture, refuse: Refuse) {
  return parseFields({ ...commonFields, ...fieldsWith(architecture) }, raw, refuse);
}

function shapeOf(common: ReturnType<typeof parseCommon>, { defaults }: Architecture, refuse: Refuse): TransformerShape {
  const { hidden_size: hiddenSize, num_attention_heads: heads } = common;
  const stated = common.num_key_value_heads === undefined ? defaults.num_key_value_heads : common.num_key_value_heads;
  const keyValueHeads = stated ?? heads;
  if (heads % keyValueHeads !== 0) refuse('num_key_value_heads', `a divisor of ${heads}`, keyValueHeads);
  const headDim = common.head_dim ?? defaults.head_dim ?? hiddenSize / heads;
  if (headDim % 2 !== 0) refuse('head_dim', 'an even number', headDim);
  return {
    vocabularySize: common.vocab_size,
    hiddenSize,
    intermediateSize: common.intermediate_size,
    layers: common.num_hidden_layers,
    heads,
    keyValueHeads,
    headDim,
  };
}

function checkFields(raw: RawConfig, architecture: Architecture, refuse: Refuse): void {
  const { fields, ignored = {} } = architecture;
  const read = new Set([
    ...NAMES,
    ...Object.keys({ ...commonFields, ...fieldsWith(architecture), ...fields, ...ignored }),
  ]);
  for (const [field, value] of Object.entries(raw)) {
    if (read.has(field) || harmlessBecause(field, value) !== undefined) continue;
    refuse(field, harmlessValue(field), value);
  }
}
