import { isMetaapoError } from '@metaapo/core/contracts';

/** Exit code of a failure: 130 for an interruption, 1 for a fault of ours, 2 for anything the user can mend. */
export function exitCodeOf(error: unknown): number {
  if (!isMetaapoError(error)) return 1;
  if (error.code === 'interrupted') return 130;
  return error.code === 'internal' ? 1 : 2;
}

/** Prints a failure on stderr: one paragraph, or the whole stack where the fault is ours. */
export function reportError(error: unknown): void {
  const isOurs = !isMetaapoError(error) || error.code === 'internal';
  const text = error instanceof Error ? ((isOurs ? error.stack : undefined) ?? error.message) : String(error);
  process.stderr.write(`metaapo: ${withoutSecrets(text)}\n`);
}

/** The text with the values of secret environment variables taken out. */
export function withoutSecrets(text: string): string {
  const secrets = Object.entries(process.env)
    .filter(([name, value]) => /TOKEN|KEY|SECRET|PASSWORD/.test(name) && value !== undefined && value.length >= 8)
    .map(([, value]) => value!);
  return secrets.reduce((clean, secret) => clean.split(secret).join('***'), text);
}
