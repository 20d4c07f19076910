import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import type { TokenizerFiles } from './tokenizer-files.js';

type JsonObject = Readonly<Record<string, unknown>>;

/** Classes of Python that take tokenizer.json as it is, whatever `add_prefix_space` says. */
const AS_IT_IS = [undefined, null, 'PreTrainedTokenizerFast', 'TokenizersBackend', 'PreTrainedTokenizer'];

/** Settings of tokenizer_config.json that change no id and no text, whatever they say, each with the reason. */
export const HARMLESS_TOKENIZER_SETTINGS: Readonly<Record<string, string>> = {
  add_bos_token: 'the post-processor of tokenizer.json says what is added, in transformers 5 too',
  add_eos_token: 'the post-processor of tokenizer.json says what is added, in transformers 5 too',
  clean_up_tokenization_spaces: 'a text is what its ids say; transformers 5 cleans up no text of BPE either',
  model_max_length: 'how long texts may be is a setting of the recipe',
  max_length: 'how long texts may be is a setting of the recipe',
  padding: 'nothing is padded here',
  padding_side: 'nothing is padded here',
  truncation_side: 'texts are cut by the recipe, where it says so',
  tokenizer_class: 'the name of a Python class; tokenizer.json says what it does',
  use_default_system_prompt: 'the chat template says what is rendered',
};

/** Why any other setting changes nothing. */
export const OTHER_TOKENIZER_SETTINGS = 'transformers keeps it as an attribute, and encoding never looks at it';

/**
 * Refuses settings of tokenizer_config.json that change what Python encodes and are not computed here.
 * @throws MetaapoError with code `checkpoint` that names the setting
 */
export function requireTokenizerSettings({ directory, config, tokenizer }: TokenizerFiles): void {
  const refuse = (setting: string, expected: string): never => {
    throw new MetaapoError('checkpoint', `${setting} is not supported`, {
      where: join(directory, 'tokenizer_config.json'),
      expected,
      got: JSON.stringify(config[setting]),
      remedy:
        'Correct the file, or save the tokenizer with Python: AutoTokenizer.from_pretrained(...).save_pretrained(...)',
    });
  };
  if (config.split_special_tokens === true) {
    refuse('split_special_tokens', 'false: a special token in a text is that token');
  }
  const begins = beginsWithSpace(tokenizer);
  const { add_prefix_space: stated, tokenizer_class: name } = config;
  if (typeof stated !== 'boolean' || begins === undefined || begins === stated || AS_IT_IS.includes(name as string))
    return;
  refuse('add_prefix_space', `${begins}, as tokenizer.json has it`);
}

/** Whether a tokenizer.json puts a space before a text; `undefined` where it has no part that might. */
function beginsWithSpace({ pre_tokenizer: split, normalizer }: JsonObject): boolean | undefined {
  const parts = [...partsOf(split, 'pretokenizers'), ...partsOf(normalizer, 'normalizers')];
  const known = parts.flatMap((part): boolean[] => {
    if (part.type === 'ByteLevel') return [part.add_prefix_space === true];
    if (part.type === 'Metaspace') return [part.prepend_scheme !== 'never' && part.add_prefix_space !== false];
    return part.type === 'Prepend' ? [true] : [];
  });
  return known.length === 0 ? undefined : known.includes(true);
}

function partsOf(stated: unknown, list: string): readonly JsonObject[] {
  const part = (stated ?? {}) as JsonObject;
  return part.type === 'Sequence' ? (part[list] as JsonObject[]).flatMap((one) => partsOf(one, list)) : [part];
}
