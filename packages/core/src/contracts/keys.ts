const ADDRESS = /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>`]+/gi;
/** A value that names an environment variable in place of a key: `${NAME}`. */
const FROM_ENVIRONMENT = /^\$(%7B|\{)[A-Za-z_][A-Za-z0-9_]*(%7D|\})$/i;

/** Names of what is a key, beside a value: `api_key: ...`, `"password": "..."`. */
const NAMED =
  /(\\?["']?)\b([\w-]{0,40}(?:api[_-]?key|access[_-]?key|private[_-]?key|password|passwd|secret|credentials?|(?:access|auth|api)[_-]?token|authorization))\1( ?[:=] ?)("[^"]*"?|'[^']*'?|(?!Bearer\b)[^\s,;&}\])]+)/gi;
const BEARER = /\b(Bearer) +(?=\S*\d)[\w.~+/=-]{8,}/gi;
/** Keys that tell what they are by their form. */
const SHAPED =
  /\b(?:sk-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,})/g;

/**
 * A text without what may be a key: the credentials of addresses, the values of their queries and fragments, values whose
 * names say that they are keys, and keys that are known by their form. Names of environment variables, `${NAME}`, stay.
 */
export function withoutKeys(text: string): string {
  return withoutPlainKeys(text).replace(NAMED, (whole, quote: string, name: string, colon: string, value: string) =>
    /^["']?\$/.test(value) ? whole : `${quote}${name}${quote}${colon}***`,
  );
}

/** The same, whatever a value's name says: what is a key in any text. */
export function withoutPlainKeys(text: string): string {
  return text
    .replace(ADDRESS, (address) => {
      const begin = address.indexOf('://') + 3;
      return `${address.slice(0, begin)}${withoutValues(withoutCredentials(address.slice(begin)))}`;
    })
    .replace(BEARER, '$1 ***')
    .replace(SHAPED, '***');
}

/** True for a value that names an environment variable in place of a key: `${NAME}`. */
export function isFromEnvironment(value: string): boolean {
  return FROM_ENVIRONMENT.test(value);
}

/** What follows `://`, its credentials masked, also where a `/`, `?` or `#` in a password ends the host too early. */
function withoutCredentials(rest: string): string {
  const host = /^[^/?#]*/.exec(rest)![0];
  const isWhole = host.includes('@') || !/:(?!\d*$)/.test(host.replace(/\[[^\]]*\]/, ''));
  const end = (isWhole ? host : rest).lastIndexOf('@');
  return end < 0 ? rest : `***${rest.slice(end)}`;
}

/** Entries of queries that are no keys, as Azure wants one. */
const HARMLESS = ['api-version='];

function withoutValues(rest: string): string {
  const begin = rest.search(/[?#]/);
  if (begin < 0) return rest;
  const values = rest.slice(begin).replace(/([^?&#=]*=)([^&#]+)|[^?&#]+/g, (whole, name?: string, value?: string) => {
    if (name === undefined) return '***';
    return isFromEnvironment(value!) || HARMLESS.includes(name) ? whole : `${name}***`;
  });
  return `${rest.slice(0, begin)}${values}`;
}
