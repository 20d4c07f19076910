import { spawnSync } from 'node:child_process';

/** Runs the command to its end. @throws Error with what it printed when it fails */
export function runMetaapo(args: readonly string[], settings: Readonly<Record<string, unknown>> = {}): void {
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const command = ['packages/cli/bin/metaapo.js', ...args, ...sets];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`metaapo ${command.slice(1).join(' ')} failed:\n${stderr}`);
}
