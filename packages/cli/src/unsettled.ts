/** Exit code of Node for a program that still waits when nothing is left that could wake it. */
const UNSETTLED = 13;

/**
 * Watches over a command until it has ended: where Node ends it because nothing is left that it could wait for, a
 * paragraph on standard error says so, and the exit code is 1.
 * @returns a function to call when the command has ended
 */
export function watchUnsettled(): () => void {
  const say = (code: number): void => {
    // Who ends the process on purpose, as the help does, has set its exit code.
    if ((code !== UNSETTLED && code !== 0) || process.exitCode === 0) return;
    process.stderr.write(
      'metaapo: the command waits for something that will never come, and ends. This is a fault of metaapo. What a run ' +
        'has paid for is in its directory: go on with --resume, and report what was running.\n',
    );
    process.exitCode = 1;
  };
  process.on('exit', say);
  return () => void process.off('exit', say);
}
