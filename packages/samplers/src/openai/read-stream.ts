/** A choice as it is streamed: a piece of its text, and, in the last one, how it ended. */
interface Piece {
  readonly index?: number;
  readonly delta?: { readonly content?: unknown; readonly reasoning?: unknown; readonly reasoning_content?: unknown };
  readonly text?: unknown;
  readonly token_ids?: unknown;
  readonly finish_reason?: unknown;
  readonly stop_reason?: unknown;
  readonly matched_stop?: unknown;
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * The `choices` that the events of a stream amount to, in the form of a reply in one piece, in the order of their
 * indices.
 * @returns `undefined` for a stream that broke off: without a choice, or before each of them had ended
 */
export function readStream(text: string): readonly unknown[] | undefined {
  const pieces = new Map<number, Piece[]>();
  for (const event of eventsOf(text)) {
    for (const piece of event.choices ?? []) {
      const index = piece.index ?? 0;
      const earlier = pieces.get(index);
      if (earlier === undefined) pieces.set(index, [piece]);
      else earlier.push(piece);
    }
  }
  const choices = [...pieces.keys()].sort((a, b) => a - b).map((index) => joined(pieces.get(index)!));
  const isWhole = choices.length > 0 && choices.every(({ finish_reason: reason }) => reason !== undefined);
  return isWhole ? choices : undefined;
}

/** JSON of the events of server-sent events; what is none, such as `[DONE]` or a line cut in two, is left out. */
function eventsOf(text: string): readonly { readonly choices?: readonly Piece[] }[] {
  return text.split(/\r?\n/).flatMap((line) => {
    if (!line.startsWith('data:')) return [];
    try {
      return [JSON.parse(line.slice('data:'.length))];
    } catch {
      return [];
    }
  });
}

function joined(pieces: readonly Piece[]) {
  const all = (read: (piece: Piece) => unknown): string => pieces.map((piece) => asText(read(piece))).join('');
  const last = (read: (piece: Piece) => unknown): unknown => pieces.map(read).findLast((value) => value != null);
  const ids = pieces.flatMap(({ token_ids: some }) => (Array.isArray(some) ? some : []));
  const reasoning = all(({ delta }) => delta?.reasoning_content ?? delta?.reasoning);
  return {
    finish_reason: last((piece) => piece.finish_reason),
    stop_reason: last((piece) => piece.stop_reason),
    matched_stop: last((piece) => piece.matched_stop),
    ...(ids.length > 0 && { token_ids: ids }),
    ...(pieces.some(({ delta }) => delta !== undefined)
      ? { message: { content: all(({ delta }) => delta?.content), reasoning } }
      : { text: all((piece) => piece.text) }),
  };
}
