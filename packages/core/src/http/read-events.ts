/**
 * The values of a stream of server-sent events, in order; `[DONE]` ends it. A reply in one piece, from a server that
 * does not stream, is its one value.
 * @throws Error for a line that belongs to no such stream, and for an event that is no JSON: a stream that was cut
 */
export function readEvents(text: string): readonly unknown[] {
  if (/^\s*\{/.test(text)) return [JSON.parse(text)];
  const values: unknown[] = [];
  let data: string[] = [];
  for (const line of [...text.split(/\r\n|\n|\r/), '']) {
    if (line !== '') {
      if (!/^(data|event|id|retry)?(:|$)/.test(line)) throw new Error('a line that belongs to no stream of events');
      const value = /^data(?:: ?(.*))?$/s.exec(line);
      if (value !== null) data.push(value[1] ?? '');
    } else if (data.length > 0) {
      const event = data.join('\n');
      if (event.trim() === '[DONE]') return values;
      values.push(JSON.parse(event));
      data = [];
    }
  }
  return values;
}
