import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Directory shared by all projects of a user: METAAPO_HOME, else metaapo in the user's cache directory. */
export function cacheHome(env: NodeJS.ProcessEnv): string {
  if (env.METAAPO_HOME) return resolve(env.METAAPO_HOME);
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'metaapo');
}
