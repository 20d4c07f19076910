import { basename, dirname, join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { copyFile, fileIn, makeDirectory, namesIn, readTextIn } from '@metaapo/core/storage';

/** The files of a tokenizer, read. */
export interface TokenizerFiles {
  readonly directory: string;
  /** tokenizer.json, parsed. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** tokenizer_config.json, with special_tokens_map.json over it where Python reads that, parsed; empty where there is none. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The chat templates by name, where there are any: `default`, and perhaps others such as `tool_use`. */
  readonly chatTemplates: Readonly<Record<string, string>>;
  /** The bytes of tokenizer.json, for the fingerprint. */
  readonly text: string;
}

const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
] as const;

/** Where transformers puts chat templates beside the default one, each under its name. */
const ADDITIONAL = 'additional_chat_templates';

/**
 * Copies the tokenizer's files that are there into what is saved.
 * @param model directory whose generation_config.json goes with them; absent, none does
 */
export async function copyTokenizerFiles(from: string, to: string, model?: string): Promise<void> {
  const copy = async (directory: string, name: string): Promise<void> => {
    const file = await fileIn(directory, name);
    if (file !== undefined) await copyFile(file, join(to, name));
  };
  for (const name of COPIED) await copy(from, name);
  const additional = await additionalTemplates(from);
  if (additional.length > 0) await makeDirectory(join(to, ADDITIONAL));
  for (const name of additional) await copy(from, join(ADDITIONAL, `${name}.jinja`));
  if (model !== undefined) await copy(model, 'generation_config.json');
}

/**
 * Reads a directory's tokenizer files. Those that are only copied when a model is saved are looked at too: what will be
 * refused then is refused before anything is trained.
 * @throws MetaapoError with code `checkpoint` when tokenizer.json is missing, a file is no JSON, or a link leads elsewhere
 */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  for (const name of COPIED) await fileIn(directory, name);
  const file = join(directory, 'tokenizer.json');
  const text = await readIfPresent(file);
  if (text === undefined) {
    throw new MetaapoError('checkpoint', 'the file is missing', {
      where: file,
      expected: 'a fast tokenizer in one file',
      got: 'no such file',
      remedy: 'Save it with Python: AutoTokenizer.from_pretrained(...).save_pretrained(...)',
    });
  }
  const tokenizer = parse(text, file);
  if (typeof tokenizer.model !== 'object' || tokenizer.model === null) {
    throw new MetaapoError('checkpoint', 'it describes no tokenizer', {
      where: file,
      expected: 'a model with a vocabulary',
      got: JSON.stringify(tokenizer.model) ?? 'no model',
      remedy: 'Download it again, or save it with Python: AutoTokenizer.from_pretrained(...).save_pretrained(...)',
    });
  }
  const config = await readConfig(directory);
  return { directory, tokenizer, config, text, chatTemplates: await readChatTemplates(directory, config) };
}

/** Settings that list their added tokens stand alone; over older ones lies special_tokens_map.json. */
async function readConfig(directory: string): Promise<TokenizerFiles['config']> {
  const config = await readJsonObject(join(directory, 'tokenizer_config.json'));
  if (config.added_tokens_decoder !== undefined) return config;
  return { ...config, ...(await readJsonObject(join(directory, 'special_tokens_map.json'))) };
}

/** Names of the templates beside the default one. */
async function additionalTemplates(directory: string): Promise<readonly string[]> {
  const names = await namesIn(join(directory, ADDITIONAL));
  return names.flatMap((name) => /^(.+)\.jinja$/.exec(name)?.[1] ?? []).sort();
}

/** The templates that lie in files of their own. */
async function templateFiles(directory: string): Promise<TokenizerFiles['chatTemplates']> {
  const files = (await additionalTemplates(directory)).map((name) => [name, join(ADDITIONAL, `${name}.jinja`)]);
  const found: [string, string][] = [];
  for (const [name, file] of [...files, ['default', 'chat_template.jinja']] as [string, string][]) {
    const text = await readTextIn(directory, file);
    if (text !== undefined) found.push([name, text]);
  }
  return Object.fromEntries(found);
}

/** The file's own precedence: chat_template.jinja with those beside it, chat_template.json, then tokenizer_config.json. */
async function readChatTemplates(
  directory: string,
  config: TokenizerFiles['config'],
): Promise<TokenizerFiles['chatTemplates']> {
  const files = await templateFiles(directory);
  if (Object.keys(files).length > 0) return files;
  const stated = (await readJsonObject(join(directory, 'chat_template.json'))).chat_template ?? config.chat_template;
  if (typeof stated === 'string') return { default: stated };
  const named: { readonly name?: unknown; readonly template?: unknown }[] = Array.isArray(stated) ? stated : [];
  return Object.fromEntries(
    named.flatMap((one) => {
      const isNamed = typeof one?.name === 'string' && typeof one.template === 'string';
      return isNamed ? [[one.name, one.template]] : [];
    }),
  );
}

/**
 * The object in a JSON file; empty where there is no file.
 * @throws MetaapoError with code `checkpoint` when it holds something else
 */
export async function readJsonObject(file: string): Promise<Record<string, unknown>> {
  const text = await readIfPresent(file);
  return text === undefined ? {} : parse(text, file);
}

const readIfPresent = (file: string): Promise<string | undefined> => readTextIn(dirname(file), basename(file));

function parse(text: string, file: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // The same paragraph as for JSON that is no object.
  }
  throw new MetaapoError('checkpoint', 'the file is no JSON object', {
    where: file,
    expected: 'an object in braces',
    got: text.trim() === '' ? 'nothing' : `${text.trim().slice(0, 40)}`,
    remedy: 'Download it again',
  });
}
