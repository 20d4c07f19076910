import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { readTextIn } from '@metaapo/core/storage';
import type { Architecture } from '../architectures/architecture.js';
import { isRecord, type RawConfig, type Refuse, refuseIn } from '../architectures/fields.js';
import { ARCHITECTURES } from '../architectures/index.js';
import { readConfig } from '../architectures/read-config.js';
import type { TransformerConfig } from '../transformer/transformer-config.js';
import { SCORE_WEIGHT } from './expected-tensors.js';
import { type RewardHead, rewardHead } from './reward-head.js';
import { wholeFloatsIn } from './whole-floats.js';

/** A model's config.json, both dialects brought to one form. */
export interface LanguageModelConfig extends TransformerConfig {
  /** Its family: `model_type`. */
  readonly architecture: string;
  readonly maxPositionEmbeddings: number;
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | undefined;
  readonly padTokenId: number | undefined;
  /** Element type of the stored weights. */
  readonly dtype: 'float32' | 'bfloat16' | 'float16';
  /** Of a reward model: where its score is read. */
  readonly rewardHead?: RewardHead | undefined;
  /** config.json as it is. */
  readonly raw: RawConfig;
  /** Fields of it whose whole numbers are written as floats. */
  readonly wholeFloats: readonly string[];
}

/** Largest config.json that is read, in bytes. */
const CONFIG_BYTES = 16 * 2 ** 20;

/**
 * Reads and checks config.json of a model directory.
 * @throws MetaapoError with code `checkpoint` that names the field which is missing or not supported
 */
export async function readModelConfig(directory: string): Promise<LanguageModelConfig> {
  const file = join(directory, 'config.json');
  const refuse = (summary: string, cause?: unknown): never => {
    throw new MetaapoError('checkpoint', summary, {
      where: file,
      cause,
      remedy: 'Give a Hugging Face model directory: config.json, *.safetensors, tokenizer.json',
    });
  };
  const text = await readTextIn(directory, 'config.json', CONFIG_BYTES);
  if (text === undefined) return refuse('the file is missing');
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    return refuse('the file is no JSON', cause);
  }
  return isRecord(raw) ? normalise(raw, file, wholeFloatsIn(text)) : refuse('the file holds no JSON object');
}

/** The normalised form of a parsed config.json; `file` is for messages. */
export function normalise(raw: RawConfig, file: string, wholeFloats: readonly string[] = []): LanguageModelConfig {
  const refuse = refuseIn(file);
  const { architecture, common, shape, family } = readConfig(raw, file);
  checkCode(raw, architecture, refuse);
  const head = rewardHead(raw, classOf(raw, refuse), refuse);
  const isClassifier = head !== undefined;
  if (head?.owner === 'transformers') checkLabels(common.id2label, common.num_labels, refuse);
  const { tie_word_embeddings: stated = architecture.defaults.tie_word_embeddings } = common;
  const { longestText, ...rest } = family;
  return {
    architecture: architecture.id,
    task: isClassifier ? 'sequence-classification' : 'causal-lm',
    rewardHead: head,
    ...shape,
    rmsNormEps: common.rms_norm_eps,
    normOffset: 0,
    embeddingScale: 1,
    scoreScale: 1 / Math.sqrt(shape.headDim),
    tieWordEmbeddings: !isClassifier && stated === true,
    ...rest,
    maxPositionEmbeddings: longestText ?? common.max_position_embeddings,
    eosTokenIds: [common.eos_token_id ?? []].flat(),
    bosTokenId: idOf(common.bos_token_id),
    padTokenId: idOf(common.pad_token_id),
    dtype: (common.dtype ?? common.torch_dtype ?? 'float32').replace('torch.', '') as LanguageModelConfig['dtype'],
    raw,
    wholeFloats,
  };
}

const idOf = (id: number | null | undefined): number | undefined =>
  typeof id === 'number' && id >= 0 ? id : undefined;

/** The config of a language model with a classification head of one label in the place of its own. */
export function withScoreHead(config: LanguageModelConfig): LanguageModelConfig {
  if (config.task === 'sequence-classification') return config;
  const { className, scorerClass = `${className}ForSequenceClassification` } = ARCHITECTURES.find(
    ({ id }) => id === config.architecture,
  )!;
  const [padTokenId = config.eosTokenIds[0]] = [config.padTokenId];
  const raw = {
    ...config.raw,
    architectures: [scorerClass],
    id2label: { 0: 'LABEL_0' },
    label2id: { LABEL_0: 0 },
    pad_token_id: padTokenId,
  };
  const rewardHead = { owner: 'transformers', tensor: SCORE_WEIGHT } as const;
  return { ...config, task: 'sequence-classification', rewardHead, tieWordEmbeddings: false, padTokenId, raw };
}

/** What names of classes end with that have another head than a language model's. */
const OTHER_HEADS = /For(?!CausalLM|SequenceClassification)\w*(Classification|Answering|MaskedLM|Generation|Choice)$/;

/**
 * The name of the class, whose ending says what the model ends with; whatever else the name says, `model_type` has said
 * what it computes, as in transformers. Without a name, and with one of no known ending, a language model's head.
 */
function classOf({ architectures }: RawConfig, refuse: Refuse): string | undefined {
  const [name] = [architectures ?? []].flat();
  if (name === undefined) return undefined;
  if (typeof name !== 'string' || OTHER_HEADS.test(name)) {
    return refuse('architectures', '...ForCausalLM or ...ForSequenceClassification', name);
  }
  return name;
}

/** Code of a model's own is never run. What names the family's classes is where transformers has taken them from. */
function checkCode({ auto_map: map }: RawConfig, { className }: Architecture, refuse: Refuse): void {
  if (map === undefined || map === null) return;
  const classes = isRecord(map) ? Object.values(map).flat() : [map];
  const own = classes.find((name) => name !== null && !String(name).split('.').at(-1)!.startsWith(className));
  if (own !== undefined) refuse('auto_map', `classes of transformers, ${className}..., and no code of its own`, own);
}

function checkLabels(id2label: RawConfig | null | undefined, stated: number | null | undefined, refuse: Refuse): void {
  const labels = id2label ? Object.keys(id2label).length : (stated ?? 1);
  if (labels !== 1) refuse('num_labels', '1', labels);
}
