import { join } from 'node:path';
import { MetaapoError } from '@metaapo/core/contracts';

/** A repository of the hub. */
export interface Repository {
  readonly type: 'model' | 'dataset';
  /** `owner/name`, or the bare name of an old model. */
  readonly name: string;
}

const NAME = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/;

/** True for a text that may name a repository. */
export function isRepositoryName(text: string): boolean {
  return NAME.test(text) && !text.includes('..') && !text.includes('--');
}

/**
 * Checks names that become paths and addresses.
 * @throws MetaapoError with code `config`
 */
export function checkRepository({ type, name }: Repository, revision: string): void {
  const fault = { where: `${type} ${name}`, remedy: 'Check the spelling' };
  if (!isRepositoryName(name)) {
    throw new MetaapoError('config', 'this is no name of a repository', { ...fault, expected: 'owner/name' });
  }
  if (isSafePath(revision)) return;
  throw new MetaapoError('config', 'this is no revision', {
    ...fault,
    expected: 'a branch, tag or commit',
    got: revision,
  });
}

/** Directory of a repository in the cache. */
export function repositoryDirectory(cacheDirectory: string, { type, name }: Repository): string {
  return join(cacheDirectory, `${type}s--${name.replaceAll('/', '--')}`);
}

/** Address of the page of a repository, for people. */
export function pageAddress(endpoint: string, { type, name }: Repository): string {
  return `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
}

/** Address that answers with the commit of a revision. */
export function revisionAddress(endpoint: string, { type, name }: Repository, revision: string): string {
  return `${endpoint}/api/${type}s/${name}/revision/${encodeURIComponent(revision)}`;
}

/** Address that answers with the files of a commit, in pages. */
export function treeAddress(endpoint: string, { type, name }: Repository, commit: string): string {
  return `${endpoint}/api/${type}s/${name}/tree/${commit}?recursive=true`;
}

/** Address of a file's content. */
export function fileAddress(endpoint: string, repository: Repository, commit: string, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `${pageAddress(endpoint, repository)}/resolve/${commit}/${encoded}`;
}

const NO_PARTS = ['', '.', '..', '__proto__'];

/** True for a relative path that stays below its root, of whole characters. */
export function isSafePath(path: string): boolean {
  if (/[\p{Surrogate}\0]/u.test(path)) return false;
  return path.split(/[/\\]/).every((part) => !NO_PARTS.includes(part) && !part.includes(':'));
}
