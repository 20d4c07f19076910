import { isRepositoryName } from './repository.js';

/** A repository as people write it: its name, and the revision where one is written behind it. */
export interface RepositoryReference {
  /** `owner/name`, or the bare name of an old repository. */
  readonly name: string;
  /** Branch, tag or commit; absent for the newest. */
  readonly revision?: string | undefined;
}

/**
 * What `owner/name`, `name` or `owner/name@revision` names; `undefined` for a text that names no repository.
 * @param revision of a reference that states none
 */
export function parseRepositoryReference(text: string, revision?: string | undefined): RepositoryReference | undefined {
  const [, name = text, stated = revision] = /^([^@]+)@([^@]+)$/.exec(text) ?? [];
  return isRepositoryName(name) ? { name, revision: stated } : undefined;
}
