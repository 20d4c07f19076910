import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The repository's root. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The small model that the project provides. */
export const quickstartModel = join(root, 'fixtures', 'quickstart', 'model');

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const command = join(root, 'packages', 'cli', 'bin', 'metaapo.js');
const environment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({ ...process.env, NO_COLOR: '1', ...env });

/** Runs the built command to its end. */
export function metaapo(args: readonly string[], env: NodeJS.ProcessEnv = {}): CommandResult {
  return spawnSync(process.execPath, [command, ...args], { cwd: root, encoding: 'utf8', env: environment(env) });
}

/** Runs the built command while this process goes on, as one that serves it has to. */
export function startedMetaapo(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  return interruptedMetaapo(args, NEVER, env);
}

const NEVER = /(?!)/;

/**
 * Runs the command, and interrupts it as soon as its error stream shows `marker`.
 * @param before called right before the interruption; it blocks this process, not the command
 */
export function interruptedMetaapo(
  args: readonly string[],
  marker: RegExp,
  env: NodeJS.ProcessEnv = {},
  before: () => void = () => undefined,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [command, ...args], { cwd: root, env: environment(env) });
    let [stdout, stderr, isInterrupted] = ['', '', false];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      if (isInterrupted || !marker.test(stderr)) return;
      isInterrupted = true;
      before();
      child.kill('SIGINT');
    });
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** A directory that is removed after the tests of the file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-test-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
