type JsonObject = Readonly<Record<string, unknown>>;

/**
 * What the embedded tokenizer does not compute exactly as the original, found in a tokenizer.json: everything but an
 * allow-list of parts that were compared with the original text by text.
 */
export function inexactConstructs(tokenizer: JsonObject): readonly string[] {
  const part = (name: string): JsonObject | undefined =>
    (tokenizer[name] as JsonObject | null | undefined) ?? undefined;
  return [
    ...inModel(part('model') ?? {}),
    ...parts(part('normalizer'), 'normalizers').flatMap(inNormalizer),
    ...parts(part('pre_tokenizer'), 'pretokenizers').flatMap(inPreTokenizer),
    ...parts(part('post_processor'), 'processors').flatMap(inPostProcessor),
    ...((tokenizer.added_tokens ?? []) as JsonObject[]).flatMap(inAddedToken),
  ];
}

/** A part, or the parts of a sequence. */
function parts(stated: JsonObject | undefined, list: string): readonly JsonObject[] {
  if (stated === undefined) return [];
  return stated.type === 'Sequence' ? (stated[list] as JsonObject[]).flatMap((one) => parts(one, list)) : [stated];
}

function inModel(model: JsonObject): readonly string[] {
  const type = model.type ?? (Array.isArray(model.merges) ? 'BPE' : undefined);
  if (type === 'Unigram') return model.byte_fallback === true ? ['Unigram with byte fallback'] : [];
  if (type !== 'BPE') return [`the model ${String(type)}`];
  const affixes = ['continuing_subword_prefix', 'end_of_word_suffix', 'dropout'] as const;
  return affixes.flatMap((name) => (model[name] ? [`BPE with ${name}`] : []));
}

const NORMALIZERS = ['NFC', 'NFD', 'NFKC', 'NFKD', 'Prepend', 'Lowercase'];

function inNormalizer(normalizer: JsonObject): readonly string[] {
  if (NORMALIZERS.includes(String(normalizer.type))) return [];
  const { pattern } = normalizer as { readonly pattern?: { readonly String?: string } };
  if (normalizer.type === 'Replace') return pattern?.String === undefined ? ['Replace by a pattern'] : [];
  return [`the normalizer ${String(normalizer.type)}`];
}

function inPreTokenizer(stated: JsonObject): readonly string[] {
  switch (stated.type) {
    case 'Digits':
      return [];
    case 'ByteLevel':
      return stated.add_prefix_space === true && stated.use_regex !== false ? ['ByteLevel with a prefix space'] : [];
    case 'Metaspace':
      return stated.split === false ? [] : ['Metaspace with split'];
    case 'Split':
      return inSplit(stated);
    default:
      return [`the pre-tokenizer ${String(stated.type)}`];
  }
}

function inSplit({ behavior, invert, pattern }: JsonObject): readonly string[] {
  const regex = (pattern as { readonly Regex?: string } | undefined)?.Regex ?? '';
  return [
    ...(String(behavior).toLowerCase() === 'isolated' ? [] : [`Split with ${String(behavior)}`]),
    ...(invert === true ? ['Split with invert'] : []),
    ...(/(?:[+*?]|\{\d+(?:,\d*)?\})\+/.test(regex) ? ['possessive quantifiers'] : []),
  ];
}

function inPostProcessor({ type }: JsonObject): readonly string[] {
  return type === 'TemplateProcessing' || type === 'ByteLevel' ? [] : [`the post-processor ${String(type)}`];
}

function inAddedToken({ content, single_word, lstrip, rstrip }: JsonObject): readonly string[] {
  const flags = Object.entries({ single_word, lstrip, rstrip }).filter(([, isSet]) => isSet === true);
  return flags.map(([flag]) => `the added token ${JSON.stringify(content)} with ${flag}`);
}
