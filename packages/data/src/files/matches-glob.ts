/**
 * True when a path matches a pattern as the cards of data sets have them: `*` and `?` inside of a name, `[...]` one
 * character of a set, `**` any directories. Takes time in proportion to both lengths, whatever the pattern.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  const names = path.split('/');
  // How far into the path the pattern's names so far can reach.
  let ends = new Set([0]);
  for (const wanted of pattern.split('/')) {
    const next = new Set<number>();
    for (const end of ends) {
      if (wanted === '**') for (let at = end; at <= names.length; at++) next.add(at);
      else if (end < names.length && matchesName(names[end]!, wanted)) next.add(end + 1);
    }
    ends = next;
  }
  return ends.has(names.length);
}

/** Names against names: after a failure the last star takes one character more. */
function matchesName(name: string, pattern: string): boolean {
  const tokens = pattern.match(/\*+|\[!?[^\]]+\]|[\s\S]/g) ?? [];
  let [at, token, star, taken] = [0, 0, -1, 0];
  while (at < name.length) {
    const wanted = tokens[token];
    if (wanted?.startsWith('*')) [star, taken, token] = [token, at, token + 1];
    else if (wanted !== undefined && matchesOne(name[at]!, wanted)) [at, token] = [at + 1, token + 1];
    else if (star === -1) return false;
    else [taken, at, token] = [taken + 1, taken + 1, star + 1];
  }
  return tokens.slice(token).every((rest) => rest.startsWith('*'));
}

function matchesOne(character: string, wanted: string): boolean {
  if (wanted === '?' || wanted === character) return true;
  if (wanted.length < 3) return false;
  const isNegated = wanted[1] === '!';
  return inSet(character, wanted.slice(isNegated ? 2 : 1, -1)) !== isNegated;
}

function inSet(character: string, set: string): boolean {
  for (let at = 0; at < set.length; at++) {
    const isRange = set[at + 1] === '-' && at + 2 < set.length;
    if (isRange ? set[at]! <= character && character <= set[at + 2]! : set[at] === character) return true;
    if (isRange) at += 2;
  }
  return false;
}
