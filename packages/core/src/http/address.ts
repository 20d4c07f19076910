import { MetaapoError, withoutKeys } from '../contracts/index.js';
import { type Environment, withVariables } from './variables.js';

/** A base address, and the secrets in it. */
export interface BaseAddress {
  readonly url: string;
  readonly secrets: readonly string[];
}

/**
 * A base address without the slashes at its end, and with the values of environment variables in place of `${NAME}` in its
 * query.
 * @param service what is reached there, for messages, e.g. `sampler openai`
 * @throws MetaapoError with code `config` when it is no http address, holds credentials, a fragment or a query with
 * values of its own, which are not shown, or names a variable that is not set
 */
export function baseAddress(service: string, address: string, env: Environment): BaseAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new MetaapoError('config', 'this is no address of a server', {
      where: service,
      expected: 'an address such as http://localhost:8000/v1',
      got: 'something else',
      remedy: 'Correct the address',
    });
  }
  if (withoutKeys(address) !== address || url.hash !== '') {
    throw new MetaapoError('config', 'the address holds credentials, or a query that may be a key', {
      where: service,
      expected: `an address such as http://localhost:8000/v1, or with ?name=\${VARIABLE}`,
      got: shownAddress(address),
      remedy: 'Take them out; keys are read from environment variables, such as the one that apiKeyVariable names',
    });
  }
  const query = withVariables(service, Object.fromEntries(url.searchParams), env);
  url.search = new URLSearchParams(query.value as Record<string, string>).toString();
  url.pathname = url.pathname.replace(/\/+$/, '');
  return { url: url.href, secrets: query.secrets };
}

/** The address of a path under a base address; a query of the base stays. An empty path is the base itself. */
export function joinAddress(base: string, path: string): string {
  const url = new URL(base);
  const below = path.replace(/^\/+/, '');
  if (below !== '') url.pathname = `${url.pathname.replace(/\/+$/, '')}/${below}`;
  return url.href;
}

/** An address as messages may show it: without credentials, query and fragment, which can hold keys. */
export function shownAddress(address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname === '/' ? '' : pathname}`;
}
