import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';
import type { TokenizerFiles } from './tokenizer-files.js';

const id = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const addedToken = z.looseObject({ id, content: z.string() });
const part = z.looseObject({ type: z.string() });

/** A part, or a sequence of them: a list with the name that its kind has. */
function component(list: string) {
  const one: z.ZodType = z.lazy(() =>
    part.superRefine((stated, context) => {
      if (stated.type !== 'Sequence') return;
      const { error } = z.array(one).safeParse(stated[list]);
      for (const { path, message } of error?.issues ?? [])
        context.addIssue({ code: 'custom', path: [list, ...path], message });
    }),
  );
  return one.nullish();
}

/** tokenizer.json: the keys that the Python library takes, and of their values what is read here; the engines look at the rest. */
const tokenizer = z.strictObject({
  version: z.unknown().optional(),
  truncation: z.unknown().optional(),
  padding: z.unknown().optional(),
  added_tokens: z.array(addedToken).nullish(),
  normalizer: component('normalizers'),
  pre_tokenizer: component('pretokenizers'),
  post_processor: component('processors'),
  decoder: component('decoders'),
  model: z.looseObject({
    vocab: z.union([z.record(z.string(), id), z.array(z.tuple([z.string(), z.number()]))]),
  }),
});

const special = z.union([z.string(), z.looseObject({ content: z.string() })]);
const listed = z.union([z.array(special), z.record(z.string(), special)]).nullish();

const config = z.looseObject({
  extra_special_tokens: listed,
  additional_special_tokens: listed,
  added_tokens_decoder: z.record(z.string(), addedToken.omit({ id: true })).nullish(),
});

/**
 * Checks that what is read of a tokenizer's files is of the form that it has in all of them.
 * @throws MetaapoError with code `checkpoint` that names the file and the field
 */
export function requireTokenizerShape(files: TokenizerFiles): void {
  const parsed = [
    ['tokenizer.json', tokenizer.safeParse(files.tokenizer)],
    ['tokenizer_config.json', config.safeParse(files.config)],
  ] as const;
  for (const [name, { error }] of parsed) {
    const issue = error?.issues[0];
    if (issue === undefined) continue;
    throw malformed(join(files.directory, name), issue.path.map(String).join('.') || 'the file', issue.message);
  }
  requireContinuedMerges(files);
}

/** The library cuts the prefix off the second part of each merge without a look at it. */
function requireContinuedMerges({ directory, tokenizer: { model } }: TokenizerFiles): void {
  const { continuing_subword_prefix: prefix, merges } = model as Readonly<Record<string, unknown>>;
  if (typeof prefix !== 'string' || prefix === '' || !Array.isArray(merges)) return;
  const at = merges.findIndex((merge) => {
    const second: unknown = typeof merge === 'string' ? merge.split(' ')[1] : (merge as unknown[] | null)?.[1];
    return typeof second === 'string' && !second.startsWith(prefix);
  });
  if (at < 0) return;
  const got = `${JSON.stringify(merges[at])}, whose second part does not begin with ${JSON.stringify(prefix)}`;
  throw malformed(join(directory, 'tokenizer.json'), `model.merges.${at}`, got);
}

function malformed(where: string, field: string, got: string): MetaapoError {
  return new MetaapoError('checkpoint', `${field} is not as a tokenizer has it`, {
    where,
    got,
    remedy: 'Download it again, or save it with Python: AutoTokenizer.from_pretrained(...).save_pretrained(...)',
  });
}
