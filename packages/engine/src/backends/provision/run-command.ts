import { spawn } from 'node:child_process';

/** Environment and interruption of the programs that an installation starts. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

/** How a program ended. */
export interface CommandResult {
  /** Exit code; `missing` when there is no such program. */
  readonly end: number | 'missing' | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

const KEPT_CHARACTERS = 100_000;

/**
 * Runs a program to its end and returns what it said, whatever its exit code.
 * @throws AbortError when the signal is given
 */
export function runCommand(
  command: string,
  parameters: readonly string[],
  { env, signal }: CommandContext,
): Promise<CommandResult> {
  return new Promise((fulfil, reject) => {
    const child = spawn(command, parameters, { env, stdio: ['ignore', 'pipe', 'pipe'], ...(signal && { signal }) });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-KEPT_CHARACTERS);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-KEPT_CHARACTERS);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'EACCES') fulfil({ end: 'missing', stdout, stderr });
      else reject(error);
    });
    child.on('close', (code, killer) => fulfil({ end: code ?? killer ?? 1, stdout, stderr }));
  });
}

/** The line of a program's complaint that says most: the last with "error" in it, or the last at all. */
export function complaintOf({ end, stdout, stderr }: CommandResult): string {
  const lines = `${stdout}\n${stderr}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling =
    lines.filter((line) => /no space left/i.test(line)).at(0) ?? lines.filter((line) => /error/i.test(line)).at(-1);
  return (telling ?? lines.at(-1) ?? `exit code ${end}`).slice(0, 500);
}
