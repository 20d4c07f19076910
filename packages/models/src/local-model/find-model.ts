import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';
import { downloadSnapshot, type HubOptions } from '@metaapo/hub';
import { adapterBase } from '../checkpoint/index.js';

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
 * Directory of a model: the path itself, or the snapshot of a hub id.
 * @throws MetaapoError with code `config` when it is neither, `network` when the hub cannot give it
 */
export async function modelDirectory(model: string, options: ModelFilesOptions = {}): Promise<string> {
  if (existsSync(model)) return model;
  if (isHubId(model)) return hubDirectory(model, options);
  throw new MetaapoError('config', 'there is no such model directory', {
    where: model,
    expected: 'a directory with config.json, or a hub id such as owner/name',
    remedy: 'Check the path',
  });
}

const isHubId = (model: string): boolean => /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(model);

function hubDirectory(model: string, { withoutWeights = false, ...hub }: ModelFilesOptions): Promise<string> {
  const files = withoutWeights ? DESCRIPTIONS : MODEL_FILES;
  return downloadSnapshot({ ...hub, repo: { type: 'model', name: model }, files });
}

/**
 * Directory of the model that an adapter names: a hub id is one of the hub, whatever lies in the working directory; a
 * path counts from the adapter, and only where the adapter is the user's own and not from the hub.
 */
function baseDirectory(base: string, adapter: string, isFromHub: boolean, options: ModelFilesOptions): Promise<string> {
  const beside = resolve(adapter, base);
  if (!isFromHub && existsSync(beside)) return modelDirectory(beside, options);
  if (isHubId(base)) return hubDirectory(base, options);
  throw new MetaapoError('checkpoint', 'the model that the adapter names cannot be taken', {
    where: adapter,
    expected: isFromHub ? 'a hub id such as owner/name' : 'a hub id, or a path that counts from the adapter',
    got: base,
    remedy: 'Give the model, and the adapter with --adapter or in the recipe',
  });
}

/** A model, and the adapter on it where its directory held nothing else. */
export interface FoundModel {
  readonly directory: string;
  readonly adapter: string | undefined;
}

/**
 * Finds a model. A directory of a PEFT adapter alone means the model that the adapter names, with the adapter on it.
 * @param adapter what is to go on the model: a PEFT adapter directory, or words for a new one
 * @throws MetaapoError as {@link modelDirectory} does; `checkpoint` when an adapter names no model, `config` when
 * another adapter is to go on it
 */
export async function findModel(
  model: string,
  options: ModelFilesOptions = {},
  adapter?: string | undefined,
): Promise<FoundModel> {
  const directory = await modelDirectory(model, options);
  const base = await adapterBase(directory);
  if (base === undefined) return { directory, adapter };
  const { name, revision } = base;
  if (adapter === undefined) {
    const isFromHub = !existsSync(model);
    return { directory: await baseDirectory(name, directory, isFromHub, { ...options, revision }), adapter: directory };
  }
  throw new MetaapoError('config', 'the model is an adapter itself, so no other one can go on it', {
    where: model,
    expected: `a whole model, such as its ${name}`,
    got: adapter,
    remedy: 'Merge it first with `metaapo export`',
  });
}
