import { MetaapoError } from '../contracts/index.js';
import type { Environment } from './variables.js';

/**
 * The API key in an environment variable; `undefined` when none is named.
 * @throws MetaapoError with code `config` when the variable has no such name, is not set, or cannot be sent; no value is shown
 */
export function readApiKey(service: string, variable: string | undefined, env: Environment): string | undefined {
  if (variable === undefined) return undefined;
  // What is no name may be the key itself, put where the name belongs.
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
    throw new MetaapoError('config', 'apiKeyVariable is no name of an environment variable', {
      where: service,
      expected: 'a name such as OPENAI_API_KEY; the key itself stays in the environment',
    });
  }
  const key = env[variable]?.trim();
  const refuse = (summary: string): never => {
    throw new MetaapoError('config', summary, {
      where: service,
      expected: `an API key in the environment variable ${variable}`,
      remedy: `Set ${variable}, or leave apiKeyVariable out for a server that wants none`,
    });
  };
  if (!key) return refuse('the API key is not set');
  // A header with another character would be refused by an error that quotes it.
  return /^[\x21-\x7e]+$/.test(key) ? key : refuse('the API key holds characters that no key has');
}

/** Replaces every occurrence of the secrets in a text by `***`, also where JSON or an address has escaped them. */
export function maskSecrets(secrets: readonly string[]): (text: string) => string {
  const forms = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  const longestFirst = [...new Set(forms)].filter(Boolean).sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((masked, form) => masked.replaceAll(form, '***'), text);
}
