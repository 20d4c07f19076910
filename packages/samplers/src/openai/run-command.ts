import { spawn } from 'node:child_process';

/** Where a command runs. */
export interface CommandOptions {
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the command with all that it started. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command line in a shell, its output on standard error.
 * @returns how it ended when that was not with exit code 0, e.g. `exit code 3`
 * @throws the signal's reason when it is aborted
 */
export async function runCommand(
  command: string,
  { directory, env, signal }: CommandOptions,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const isGroup = process.platform !== 'win32';
  const child = spawn(command, { shell: true, cwd: directory, env, stdio: ['ignore', 2, 2], detached: isGroup });
  const kill = (): void => {
    try {
      if (isGroup && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      else child.kill();
    } catch {
      // It has just ended by itself.
    }
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    // Not `close`: a server that the command leaves running keeps its output open.
    return await new Promise<string | undefined>((resolve) => {
      child.once('error', ({ message }) => resolve(message));
      child.once('exit', (code, killedBy) => resolve(code === 0 ? undefined : ending(code, killedBy)));
    });
  } finally {
    signal.removeEventListener('abort', kill);
    signal.throwIfAborted();
  }
}

function ending(code: number | null, killedBy: string | null): string {
  return code === null ? `signal ${killedBy}` : `exit code ${code}`;
}
