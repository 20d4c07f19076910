import { MetaapoError } from '../contracts/index.js';

/**
 * A base address without the slashes at its end.
 * @param service what is reached there, for messages, e.g. `sampler openai`
 * @throws MetaapoError with code `config` when it is no http address, or holds credentials, which are not shown
 */
export function baseAddress(service: string, address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url !== undefined && isHttp && url.username === '' && url.password === '') {
    url.pathname = url.pathname.replace(/\/+$/, '');
    return url.href;
  }
  throw new MetaapoError('config', isHttp ? 'the address holds credentials' : 'this is no address of a server', {
    where: service,
    expected: 'an address such as http://localhost:8000/v1',
    got: isHttp ? shownAddress(address) : 'something else',
    remedy: isHttp
      ? 'Take them out; an API key is read from the environment variable that apiKeyVariable names'
      : 'Correct the address',
  });
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
