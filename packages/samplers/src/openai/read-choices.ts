import { MetaapoError } from '@metaapo/core/contracts';
import { TransientError } from '@metaapo/core/http';
import { z } from 'zod';

/** One of the `choices` of a reply, whatever the server puts where. */
export interface Choice {
  /** As the server says it; absent where it says none. */
  readonly finishReason: string | undefined;
  /** What was said; absent where there is none that can be read. */
  readonly text: string | undefined;
  /** Token ids, from a server that was asked for them. */
  readonly tokenIds: readonly number[];
  /** Whether a stop text ended it, of which the token ids are a part. */
  readonly isEndedByText: boolean;
  /** What the server took out of the text. */
  readonly takenOut: readonly ('reasoning' | 'tool calls')[];
  /** As the server sends them. */
  readonly logprobs: unknown;
  /** As it came, for messages. */
  readonly source: unknown;
}

/** What is read of a reply. */
export interface ChoicesReader {
  /** Number of choices that were asked for. */
  readonly count: number;
  /** The request, for messages. */
  readonly where: string;
  /** What came, for messages. */
  readonly shown: (value: unknown) => string;
}

const textPart = z.object({ type: z.literal('text').optional(), text: z.string() }).transform(({ text }) => text);
const content = z.union([z.string(), z.array(textPart).transform((parts) => parts.join(''))]);
const saying = z.object({
  content: content.nullish(),
  reasoning: z.unknown().optional(),
  reasoning_content: z.unknown().optional(),
  tool_calls: z.unknown().optional(),
  function_call: z.unknown().optional(),
});
const endedBy = z.union([z.string(), z.number()]).nullish();

/** A choice, or a piece of one in a stream. */
const pieceSchema = z.object({
  index: z.int().min(0).nullish(),
  finish_reason: z.string().nullish(),
  text: z.string().nullish(),
  message: saying.nullish(),
  delta: saying.nullish(),
  token_ids: z.array(z.int()).nullish(),
  stop_reason: endedBy,
  matched_stop: endedBy,
  logprobs: z.unknown().optional(),
});
type Piece = z.output<typeof pieceSchema>;

const replySchema = z.object({ choices: z.array(z.unknown()).nullable() });
const eventSchema = z.object({ choices: z.array(z.unknown()).nullish() });

/**
 * The choices of a reply in one piece, as many as were asked for or fewer; one that cannot be read has no text.
 * @throws TransientError where there is none, MetaapoError with code `network` where the reply is none of this protocol
 */
export function readChoices(reply: unknown, reader: ChoicesReader): readonly Choice[] {
  const parsed = replySchema.safeParse(reply);
  if (!parsed.success) {
    throw new MetaapoError('network', 'the reply holds no choices', {
      where: reader.where,
      expected: 'the reply of an OpenAI-compatible server',
      got: reader.shown(reply),
      remedy: 'Check that baseUrls end with /v1',
    });
  }
  const { choices } = parsed.data;
  if (choices === null || choices.length === 0) {
    throw new TransientError(
      new MetaapoError('network', 'the server gave no response', {
        where: reader.where,
        expected: 'a choice',
        got: reader.shown(reply),
        remedy: "Look into the server's log",
      }),
    );
  }
  return choices.slice(0, reader.count).map((value) => {
    const piece = pieceSchema.safeParse(value);
    return joined(piece.success ? [piece.data] : [], value);
  });
}

/**
 * The choices that the events of a stream amount to, in the order of their indices.
 * @throws TransientError for a stream that broke off: with an event that is none, or before each choice had ended;
 * MetaapoError that {@link areMixedUp} knows, where pieces of several choices share an index
 */
export function readStreamedChoices(events: readonly unknown[], reader: ChoicesReader): readonly Choice[] {
  const inOnePiece = events.length === 1 ? replySchema.safeParse(events[0]) : undefined;
  const isWhole = (choice: unknown): boolean => pieceSchema.safeParse(choice).data?.message != null;
  if (inOnePiece?.data?.choices?.some(isWhole)) return readChoices(events[0], reader);
  const choices = new Map<number, StreamedChoice>();
  for (const value of events.flatMap((event) => piecesOf(event, reader))) {
    const piece = pieceSchema.safeParse(value);
    if (!piece.success) throw brokenStream(value, reader);
    addTo(choices, piece.data, reader);
  }
  if (choices.size === 0 || [...choices.values()].some(({ hasEnded }) => !hasEnded))
    throw brokenStream(events.at(-1) ?? null, reader);
  // A server that says index 0 of everything may send one end alone: then several responses would become one.
  if (choices.size < reader.count) throw mixedUp(reader);
  const inOrder = [...choices.entries()].sort(([a], [b]) => a - b);
  return inOrder.map(([, { pieces }]) => joined(pieces, pieces.at(-1)));
}

/** A choice as far as it has come. */
interface StreamedChoice {
  readonly pieces: Piece[];
  hasEnded: boolean;
}

/** True for the error of a stream whose indices do not tell its responses apart. */
export function areMixedUp(error: unknown): boolean {
  return (error as Error | undefined)?.cause instanceof MixedUp;
}

class MixedUp extends Error {}

function mixedUp({ where, count }: ChoicesReader): MetaapoError {
  return new MetaapoError('network', 'the stream does not tell its responses apart', {
    where,
    expected: `an index of its own for each of ${count} responses`,
    got: 'an index that several share',
    remedy: 'Set useN: false',
    cause: new MixedUp('responses share an index'),
  });
}

function brokenStream(got: unknown, { where, shown }: ChoicesReader): TransientError {
  return new TransientError(
    new MetaapoError('network', 'the stream broke off', {
      where,
      expected: 'events up to the end of every response',
      got: shown(got),
      remedy: "Look into the server's log",
    }),
  );
}

function piecesOf(event: unknown, reader: ChoicesReader): readonly unknown[] {
  const parsed = eventSchema.safeParse(event);
  if (!parsed.success) throw brokenStream(event, reader);
  return parsed.data.choices ?? [];
}

const hasEnd = ({ finish_reason: reason }: Piece): boolean => reason != null && reason !== '';

function addTo(choices: Map<number, StreamedChoice>, piece: Piece, reader: ChoicesReader): void {
  const index = piece.index ?? 0;
  const choice = choices.get(index) ?? { pieces: [], hasEnded: false };
  const goesOn = choice.hasEnded && (hasEnd(piece) || says(piece));
  // A server may say the end of its one response twice, but nothing after it.
  if (index >= reader.count || (goesOn && (reader.count > 1 || says(piece)))) {
    throw reader.count > 1 ? mixedUp(reader) : brokenStream(piece, reader);
  }
  choice.pieces.push(piece);
  choice.hasEnded ||= hasEnd(piece);
  choices.set(index, choice);
}

const partsOf = ({ message, delta }: Piece) => message ?? delta;
const textIn = (piece: Piece): string | null | undefined => partsOf(piece)?.content ?? piece.text;
const isSaid = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== '';

function says(piece: Piece): boolean {
  return isSaid(textIn(piece)) || isSaid(piece.token_ids) || takenOutOf(piece).length > 0;
}

function takenOutOf(piece: Piece): Choice['takenOut'] {
  const { reasoning, reasoning_content, tool_calls, function_call } = partsOf(piece) ?? {};
  const hasReasoning = isSaid(reasoning_content) || isSaid(reasoning);
  const hasCalls = isSaid(tool_calls) || isSaid(function_call);
  return [...(hasReasoning ? (['reasoning'] as const) : []), ...(hasCalls ? (['tool calls'] as const) : [])];
}

/** A choice out of its pieces. */
function joined(pieces: readonly Piece[], source: unknown): Choice {
  const last = <Value>(read: (piece: Piece) => Value): Value | undefined =>
    pieces.map(read).findLast((value) => isSaid(value));
  const ended = [last(({ stop_reason }) => stop_reason), last(({ matched_stop }) => matched_stop)];
  const hasText = pieces.some((piece) => partsOf(piece) !== undefined || typeof piece.text === 'string');
  return {
    finishReason: last(({ finish_reason }) => finish_reason) ?? undefined,
    text: hasText ? pieces.map((piece) => textIn(piece) ?? '').join('') : undefined,
    tokenIds: pieces.flatMap(({ token_ids }) => token_ids ?? []),
    isEndedByText: ended.some((value) => typeof value === 'string'),
    takenOut: [...new Set(pieces.flatMap(takenOutOf))],
    logprobs: joinedLogprobs(pieces.map(({ logprobs }) => logprobs)),
    source,
  };
}

/** Log-probabilities of pieces, one after another, in the form of a reply in one piece. */
function joinedLogprobs(all: readonly unknown[]): unknown {
  if (all.length === 1) return all[0];
  const lists = all.filter((value) => typeof value === 'object' && value !== null) as Readonly<
    Record<string, unknown>
  >[];
  const names = [...new Set(lists.flatMap((list) => Object.keys(list)))];
  const listOf = (name: string): unknown[] =>
    lists.flatMap((list) => (Array.isArray(list[name]) ? (list[name] as unknown[]) : []));
  return lists.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, listOf(name)]));
}
