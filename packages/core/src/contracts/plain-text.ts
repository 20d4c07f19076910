/**
 * Characters that do something to a terminal or to the order of a line, instead of being seen: C0 and C1 controls except
 * tab and newline, and the marks of text direction.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A text from outside as a message, a terminal or a log may show it: control characters as their escapes, such as
 * `\u001b`, and what is longer than `most` characters cut, with the number of all in its place.
 */
export function plainText(text: string, most = Number.POSITIVE_INFINITY): string {
  const kept = text.length <= most ? text : text.slice(0, most);
  // Half of a surrogate pair at the cut would be no character.
  const whole = kept.length < text.length ? kept.replace(/[\ud800-\udbff]$/, '') : kept;
  const shown = whole
    .replace(/\r\n/g, '\n')
    .replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return kept.length < text.length ? `${shown}... (${text.length} characters)` : shown;
}
