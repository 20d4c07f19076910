import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request's body as the sampler sends it. */
export interface ChatBody {
  readonly model: string;
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  readonly prompt?: readonly number[];
  readonly seed: number;
  readonly n?: number;
  readonly [entry: string]: unknown;
}

/** How a server behaves. */
export interface ChatServerOptions {
  /** The choices of a reply, when they are ready; default one text for each of `n`, which the seed decides. */
  readonly choices?: (body: ChatBody) => unknown;
  /** A status, a cut connection, a reply that is no JSON, or none at all; `count` is how often this body came. */
  readonly fault?: (count: number, body: ChatBody) => number | 'cut' | 'garbage' | 'hang' | undefined;
  /** Further entries of a reply. */
  readonly reply?: object;
  /** The text of a stream of events, in place of one that the choices make. */
  readonly events?: (body: ChatBody) => string;
  /** Answers anything that is no call for responses. */
  readonly other?: (path: string, body: unknown, response: ServerResponse) => void;
}

/** A text that a prompt and a seed decide. */
export function textOf({ messages, prompt, seed }: ChatBody, index = 0): string {
  return `${messages?.at(-1)?.content ?? prompt?.join(' ')} ${seed % 97} ${index}`;
}

/** Choices as a server of the OpenAI protocol sends them, one for each of `n`. */
export function plainChoices(body: ChatBody): unknown[] {
  return Array.from({ length: body.n ?? 1 }, (_, index) => {
    const text = textOf(body, index);
    return { index, finish_reason: 'stop', ...(body.prompt ? { text } : { message: { content: text } }) };
  });
}

interface Choice {
  readonly index: number;
  readonly finish_reason: string;
  readonly text?: string;
  readonly message?: { readonly content: string };
}

/** Choices as a server of the OpenAI protocol streams them: a character of each in turn, then how they ended. */
function eventsOf(choices: readonly Choice[]): string[] {
  const letters = choices.flatMap(({ index, text, message }) =>
    Array.from(text ?? message!.content, (letter, at) => ({
      at,
      piece: { index, ...part(letter, text === undefined) },
    })),
  );
  const pieces = letters.sort((a, b) => a.at - b.at).map(({ piece }) => piece);
  const ends = choices.map(({ index, finish_reason, text }) => ({
    index,
    ...part('', text === undefined),
    finish_reason,
  }));
  const events = [...pieces, ...ends].map((choice) => `data: ${JSON.stringify({ choices: [choice] })}\n\n`);
  return [...events, 'data: [DONE]\n\n'];
}

const part = (letter: string, isChat: boolean): object => (isChat ? { delta: { content: letter } } : { text: letter });

/** A server of the OpenAI protocol on loopback that knows one model, `policy`. */
export async function chatServer({
  choices = plainChoices,
  fault,
  reply: more,
  events,
  other,
}: ChatServerOptions = {}) {
  const seen: { readonly path: string; readonly body: ChatBody; readonly authorization: string | undefined }[] = [];
  const answered: ChatBody[] = [];
  const counts = new Map<string, number>();
  const closed: Promise<void>[] = [];
  const server = createServer(async (request, response) => {
    closed.push(new Promise((resolve) => response.on('close', resolve)));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = (text === '' ? {} : JSON.parse(text)) as ChatBody;
    const path = request.url ?? '';
    if (!/completions(\?|$)/.test(path)) {
      other?.(path, body, response);
      return;
    }
    seen.push({ path, body, authorization: request.headers.authorization });
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    const injected = body.model === 'policy' ? fault?.(count, body) : 404;
    if (injected !== undefined) {
      inject(injected, `model ${body.model} for ${request.headers.authorization}`, response);
      return;
    }
    const reply = { object: 'chat.completion', ...more, choices: await choices(body) };
    response.on('finish', () => answered.push(body));
    if (body.stream === true && events !== undefined) {
      response.end(events(body));
      return;
    }
    if (body.stream === true) {
      for (const event of eventsOf(reply.choices as Choice[])) response.write(event);
      response.end();
      return;
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { root, url: `${root}/v1`, seen, answered, closed, close };
}

function inject(fault: number | 'cut' | 'garbage' | 'hang', message: string, response: ServerResponse): void {
  if (fault === 'cut') response.writeHead(200).write('{"cho', () => response.destroy());
  else if (fault === 'garbage') response.end('<html>');
  else if (fault !== 'hang') response.writeHead(fault).end(JSON.stringify({ error: { message } }));
}
