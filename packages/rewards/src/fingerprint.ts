import { createHash } from 'node:crypto';

/** Key of a reward model: its id, and a digest of everything that its rewards follow from. */
export function fingerprintOf(id: string, ...basis: readonly unknown[]): string {
  return `${id} ${createHash('sha256').update(JSON.stringify(basis)).digest('hex')}`;
}
