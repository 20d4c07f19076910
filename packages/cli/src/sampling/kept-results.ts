import { createHash } from 'node:crypto';
import { MetaapoError } from '@metaapo/core/contracts';
import { openJournal, removeJournal, writeAtomically } from '@metaapo/core/storage';

/** Results of rows that are kept beside an output file until that is complete. */
export interface KeptResults<Result> {
  /** By key. */
  readonly known: ReadonlyMap<string, Result>;
  /** Keeps results, durable once the promise is fulfilled. */
  keep(...results: readonly (readonly [key: string, result: Result])[]): Promise<void>;
  /** Writes the output at once, and removes what was kept. */
  finish(text: string): Promise<void>;
}

/** Key of a result: a digest of all that it follows from. */
export function resultKey(...basis: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(basis)).digest('base64url');
}

const fileOf = (output: string): string => `${output}.partial`;

/** Opens what an earlier, stopped command kept for an output file. */
export async function openKeptResults<Result>(output: string): Promise<KeptResults<Result>> {
  const journal = await openJournal(fileOf(output));
  const known = new Map(journal.entries.map(({ key, result }) => [key as string, result as Result]));
  return {
    known,
    async keep(...results) {
      await journal.append(...results.map(([key, result]) => ({ kind: 'result', key, result })));
      for (const [key, result] of results) known.set(key, result);
    },
    async finish(text) {
      await writeAtomically(output, text);
      await removeJournal(fileOf(output));
    },
  };
}

/** The result of a command that keeps what it has; an interruption says how it goes on. */
export async function orKept<Result>(output: string, signal: AbortSignal, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new MetaapoError('interrupted', 'stopped before the output was complete', {
      where: output,
      remedy: `Finished rows are in ${fileOf(output)}; the same command goes on from there`,
    });
  }
}
