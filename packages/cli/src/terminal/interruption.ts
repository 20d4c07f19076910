const STEP = 'Stopping after the current step; Ctrl-C again stops at once and loses it.';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A signal that Ctrl-C (or SIGTERM, or the end of the terminal) aborts once; a second Ctrl-C ends the process at once.
 * @param notice what is said then
 */
export function onInterruption(notice = STEP): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      // A terminal that closes says so more than once.
      if (name === 'SIGHUP') return;
      process.exit(130);
    }
    process.stderr.write(`\n${notice}\n`);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
