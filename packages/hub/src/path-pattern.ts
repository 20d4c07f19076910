/** True when a path matches a pattern of `*` (anything, over directories too) and `?` (one character). */
export function matchesPattern(path: string, pattern: string): boolean {
  const whole = pattern.endsWith('/') ? `${pattern}*` : pattern;
  const expression = whole
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 's').test(path);
}
