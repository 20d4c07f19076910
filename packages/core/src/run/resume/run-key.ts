import { MetaapoError } from '../../contracts/index.js';
import type { RunEntry, RunJournal, RunKey } from '../../journal/index.js';
import { changedInputs } from '../../trainer/index.js';

/** What {@link claimJournal} is told. */
export interface ClaimOptions {
  readonly output: string;
  readonly key: RunKey;
  /** Differences are warned of and accepted. */
  readonly allowChanges: boolean;
  readonly warn: (text: string) => void;
  /** Done before other data are accepted: what was computed of the iteration under way is of no use. */
  readonly discardProgress: () => Promise<void>;
}

const WHAT: Readonly<Record<Exclude<keyof RunKey, 'inputs'>, string>> = {
  recipe: 'the model, its adapter or its LoRA',
  data: 'the training rows (files, tokenizer or data section)',
  policy: 'the weights of the start model',
  computedBy: 'the backend or precision, which moves last bits',
};

/**
 * Begins a journal with what the run is started with, or compares what it was started with.
 * @returns the key that the run was started with: that of its checkpoints for ever
 * @throws MetaapoError with code `config` that names what differs, unless changes are allowed
 */
export async function claimJournal(journal: RunJournal, options: ClaimOptions): Promise<RunKey> {
  const { key, allowChanges, warn } = options;
  const known = journal.entries.flatMap((entry) =>
    entry.kind === 'start' || entry.kind === 'changed' ? [entry.key] : [],
  );
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) {
    await journal.append({ kind: 'start', key });
    return key;
  }
  const isOtherData = last.data !== key.data;
  const differing = [
    ...(Object.keys(WHAT) as (keyof typeof WHAT)[])
      .filter((name) => last[name] !== key[name])
      .map((name) => WHAT[name]),
    ...changedInputs(last, key),
  ];
  const changed = [...new Set(differing)];
  if (changed.length === 0) return first;
  if (!allowChanges) throw notTheSame(options, changed);
  for (const name of changed) warn(`changed since the run was started: ${name}`);
  if (isOtherData) await options.discardProgress();
  await journal.append({ kind: 'changed', key, isOtherData });
  return first;
}

/** What is left of an iteration's entries: with other data it begins anew. */
export function sinceOtherData(entries: readonly RunEntry[]): readonly RunEntry[] {
  return entries.slice(entries.findLastIndex((entry) => entry.kind === 'changed' && entry.isOtherData) + 1);
}

function notTheSame({ output }: ClaimOptions, changed: readonly string[]): MetaapoError {
  return new MetaapoError('config', 'this is not what the run was started with', {
    where: output,
    got: `changed: ${changed.join('; ')}`,
    remedy:
      'Put it back, start another run with --set output=..., or accept the change with --allow-changes; with other rows the iteration under way begins anew',
  });
}
