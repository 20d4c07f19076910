const STEP = 'Stopping after the current step; Ctrl-C again stops at once and loses it.';

/**
 * A signal that Ctrl-C (or SIGTERM) aborts once; a second Ctrl-C ends the process at once.
 * @param notice what is said then
 */
export function onInterruption(notice = STEP): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write(`\n${notice}\n`);
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return {
    signal: controller.signal,
    release: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}
