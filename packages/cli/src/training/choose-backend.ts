import { type Backend, type BackendId, chooseExecutor, type Executor, selectBackend } from '@metaapo/engine';

/** What a recipe or the flags of a command wish. */
export interface BackendWish {
  readonly backend?: BackendId | undefined;
  readonly executor?: Executor | 'auto' | undefined;
}

/** Selects the backend of a command that opens models; reports it, the executor on it, and why they were taken. */
export async function chooseBackend(
  { backend, executor }: BackendWish,
  report: (line: string) => void,
): Promise<Backend> {
  const chosen = await selectBackend(backend === undefined ? {} : { prefer: backend });
  report(`Backend: ${chosen.reason}`);
  const { executor: runs, reason } = chooseExecutor(executor);
  report(`Executor: ${runs} (${reason})`);
  return chosen;
}
