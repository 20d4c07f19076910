import { join, resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { isPresent } from '@metaapo/core/storage';
import { fetchSnapshot, type HubOptions, matchesPattern, parseRepositoryReference } from '@metaapo/hub';
import { adapterBase, type ModelName } from '../checkpoint/index.js';

/** Files that describe a model, its adapter, its tokenizer and its template: no weights, and no code. */
const DESCRIPTIONS = ['*.json', '*.jinja', 'tokenizer.model'];

/** The same with the weights: no pickles, and no second copy of them. */
const MODEL_FILES = ['model.safetensors', 'model-*.safetensors', 'adapter_model*.safetensors', ...DESCRIPTIONS];

/** Where things come from, and whom to tell. */
export interface ModelFilesOptions extends Pick<HubOptions, 'revision' | 'report' | 'signal'> {
  /** True: files that describe the model suffice. */
  readonly withoutWeights?: boolean | undefined;
}

/**
 * Directory of a model: the path itself, or the snapshot of a hub id, `owner/name` or `owner/name@revision`.
 * @throws MetaapoError with code `config` when it is neither, `network` when the hub cannot give it
 */
export async function modelDirectory(model: string, options: ModelFilesOptions = {}): Promise<string> {
  if (isPresent(model)) return model;
  const named = parseRepositoryReference(model, options.revision);
  if (named !== undefined) return hubDirectory(named, options);
  throw new MetaapoError('config', 'there is no such model directory', {
    where: model,
    expected: 'a directory with config.json, or a hub id such as owner/name',
    remedy: 'Check the path',
  });
}

async function hubDirectory({ name, revision }: ModelName, options: ModelFilesOptions): Promise<string> {
  const { withoutWeights = false, ...hub } = options;
  const files = withoutWeights ? DESCRIPTIONS : MODEL_FILES;
  const choose = (paths: readonly string[]): readonly string[] => {
    refuseOtherWeights(name, paths);
    return paths.filter((path) => files.some((pattern) => matchesPattern(path, pattern)));
  };
  return (await fetchSnapshot({ type: 'model', name }, choose, { ...hub, revision })).directory;
}

/** Refuses a repository whose weights are of another kind before anything of it is fetched. */
function refuseOtherWeights(name: string, paths: readonly string[]): void {
  const others = paths.filter((path) => /\.(bin|pt|pth|gguf|h5|msgpack)$/.test(path));
  if (others.length === 0 || paths.some((path) => path.endsWith('.safetensors'))) return;
  throw new MetaapoError('checkpoint', 'the repository has no weights that can be read', {
    where: `model ${name}`,
    expected: 'safetensors files',
    got: others.slice(0, 3).join(', '),
    remedy: `Name a revision that has them (${name}@refs/pr/1, say), or save the model with Python: save_pretrained(directory, safe_serialization=True)`,
  });
}

/** A model, what lies on it, and what it is called. */
export interface FoundModel {
  readonly directory: string;
  readonly adapter: string | undefined;
  /** Directory of the tokenizer and the chat template: the adapter's own where it has them, else the model's. */
  readonly tokenizer: string;
  /** What an adapter on it names: the hub id with its revision, or the whole path. */
  readonly name: ModelName;
}

/**
 * Finds a model. A directory of a PEFT adapter alone means the model that the adapter names, with the adapter on it.
 * @param adapter a PEFT adapter that is to go on the model: directory or hub id
 * @throws MetaapoError as {@link modelDirectory} does; `checkpoint` when an adapter names no model, `config` when
 * another adapter is to go on it
 */
export async function findModel(
  model: string,
  options: ModelFilesOptions = {},
  adapter?: string | undefined,
): Promise<FoundModel> {
  const directory = await modelDirectory(model, options);
  const isFromHub = !isPresent(model);
  const base = await adapterBase(directory);
  if (base === undefined) {
    const name = (isFromHub ? parseRepositoryReference(model, options.revision) : undefined) ?? {
      name: resolve(model),
    };
    // The revision is that of the model.
    const on = adapter === undefined ? undefined : await modelDirectory(adapter, { ...options, revision: undefined });
    return { directory, adapter: on, tokenizer: await tokenizerOf(directory, on), name };
  }
  if (adapter !== undefined) throw secondAdapter(model, base.name, adapter);
  const found = await findBase(base, directory, isFromHub, options);
  return { ...found, adapter: directory, tokenizer: await tokenizerOf(found.directory, directory) };
}

/** Refuses what is to go on an adapter: another one, or a new one. */
export function secondAdapter(model: string, base: string, adapter: string): MetaapoError {
  return new MetaapoError('config', 'the model is an adapter itself, so no other one can go on it', {
    where: model,
    expected: `a whole model, such as its ${base}`,
    got: adapter,
    remedy: 'Merge it first with `metaapo export`',
  });
}

/**
 * The model that an adapter names: a hub id is one of the hub, whatever lies in the working directory; a path counts from
 * the adapter, and only where the adapter is the user's own and not from the hub.
 */
async function findBase(
  { name, revision }: ModelName,
  adapter: string,
  isFromHub: boolean,
  options: ModelFilesOptions,
): Promise<Pick<FoundModel, 'directory' | 'name'>> {
  const beside = resolve(adapter, name);
  if (!isFromHub && isPresent(beside)) return { directory: beside, name: { name: beside } };
  const named = parseRepositoryReference(name, revision);
  if (named !== undefined) return { directory: await hubDirectory(named, options), name: named };
  throw new MetaapoError('checkpoint', 'the model that the adapter names cannot be taken', {
    where: adapter,
    expected: isFromHub ? 'a hub id such as owner/name' : 'a hub id, or a path that counts from the adapter',
    got: name,
    remedy: 'Give the model, and the adapter with --adapter or in the recipe',
  });
}

/** What belongs to a tokenizer and tells nothing without tokenizer.json. */
const TOKENIZER_PARTS = ['tokenizer_config.json', 'chat_template.jinja', 'chat_template.json', 'tokenizer.model'];

/**
 * Directory of the tokenizer that an adapter was trained with.
 * @throws MetaapoError with code `checkpoint` when the adapter holds a part of one alone
 */
async function tokenizerOf(directory: string, adapter: string | undefined): Promise<string> {
  if (adapter === undefined) return directory;
  if (isPresent(join(adapter, 'tokenizer.json'))) return adapter;
  const part = TOKENIZER_PARTS.find((name) => isPresent(join(adapter, name)));
  if (part === undefined) return directory;
  throw new MetaapoError('checkpoint', 'the adapter holds a part of a tokenizer, but no tokenizer.json', {
    where: adapter,
    expected: 'the tokenizer that it was trained with, whole, or none of its files',
    got: part,
    remedy: 'Save it there with Python: AutoTokenizer.from_pretrained(...).save_pretrained(adapter)',
  });
}
