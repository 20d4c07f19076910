const actsBySignal = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `act` when a signal is aborted. However many wait for one signal, it has one listener: Node warns of more than
 * ten.
 * @returns a function that ends the wait
 */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const acts = actsBySignal.get(signal) ?? listen(signal);
  acts.add(act);
  return () => void acts.delete(act);
}

function listen(signal: AbortSignal): Set<() => void> {
  const acts = new Set<() => void>();
  actsBySignal.set(signal, acts);
  const actAll = (): void => {
    for (const act of [...acts]) act();
  };
  signal.addEventListener('abort', actAll, { once: true });
  return acts;
}
