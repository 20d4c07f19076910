const STEP = 'Stopping after the current step; Ctrl-C again stops at once and loses it.';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What stops a command. */
export interface Interruption {
  /** Aborted once, by the first Ctrl-C, and after {@link Interruption.begin} by SIGTERM or the end of the terminal too. */
  readonly signal: AbortSignal;
  /**
   * Says that from now on there is something to save. Before, SIGTERM and SIGHUP end the process as the system does: at
   * once, also while a template, a regular expression or native code runs that looks at no event.
   */
  begin(): void;
  /** Gives the signals back to the system. */
  release(): void;
}

/**
 * Lets a command end in order. After the first signal the system has the next one, which ends the process at once,
 * whatever it computes; files are complete at every moment, and a lock of a process that is gone counts as free.
 * @param notice what is said at the first signal
 */
export function onInterruption(notice = STEP): Interruption {
  const controller = new AbortController();
  const heard = new Set<NodeJS.Signals>();
  const hear = (name: NodeJS.Signals): void => {
    if (heard.has(name)) return;
    heard.add(name);
    process.on(name, stop);
  };
  const release = (): void => {
    for (const name of heard) process.off(name, stop).off(name, ignore);
    heard.clear();
  };
  const stop = (): void => {
    release();
    // A terminal that closes says so more than once.
    heard.add('SIGHUP');
    process.on('SIGHUP', ignore);
    process.stderr.write(`\n${notice}\n`);
    controller.abort();
  };
  hear('SIGINT');
  return {
    signal: controller.signal,
    begin: () => {
      if (!controller.signal.aborted) for (const name of SIGNALS) hear(name);
    },
    release,
  };
}

function ignore(): void {
  // Keeps the signal from ending the process.
}
