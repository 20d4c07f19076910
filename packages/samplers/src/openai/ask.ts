import type { SamplingRequest } from '@metaapo/core/contracts';
import type { JsonClient } from '@metaapo/core/http';
import type { ForeignSettings } from './foreign-settings.js';
import type { OpenaiSettings } from './openai-options.js';
import { type Choice, readChoices, readStreamedChoices } from './read-choices.js';
import type { ResponseReader } from './read-response.js';
import { requestBody, type Wanted } from './request-body.js';
import { isWrongRequest } from './unusable.js';

/** What calls work with. */
export interface CallContext {
  /** Gives replies as events where `settings.stream` asks for streams, else as JSON. */
  readonly client: JsonClient;
  readonly settings: OpenaiSettings;
  readonly readerOf: (request: SamplingRequest) => ResponseReader;
  /** Whether calls ask for several responses by `n`, and what is done when they cannot. */
  readonly takesN: { readonly isRefused: boolean; refuse(reason: string): void };
  /** What is known of settings that servers fill in. */
  readonly foreign: ForeignSettings;
}

/** Path of an endpoint below the base address. */
const PATHS: Readonly<Record<OpenaiSettings['endpoint'], string>> = {
  chat: 'chat/completions',
  completions: 'completions',
};

/** What a reader makes of the choices of a reply, inside of the attempt: it may have it tried again. */
export type ReadChoices<Result> = (choices: readonly Choice[]) => Result;

/**
 * What a reader makes of the choices of the reply to a call. Where the server refuses a call for one response, and takes
 * it without the entries that some servers do not know, they are left out from then on.
 * @throws MetaapoError with code `network` when the reply holds no choices, or the stream breaks off each time
 */
export async function ask<Result>(
  request: SamplingRequest,
  wanted: Omit<Wanted, 'dialect'>,
  read: ReadChoices<Result>,
  context: CallContext,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const { foreign, settings } = context;
  const { dialect } = settings;
  const post = (as: Wanted['dialect']): Promise<Result> =>
    postCall(requestBody(request, { ...wanted, dialect: as }, settings), readerOf(request, wanted, read, context));
  const postCall = (body: object, reading: (reply: unknown) => Result): Promise<Result> =>
    context.client.post(PATHS[settings.endpoint], settings.stream ? { ...body, stream: true } : body, signal, reading);
  if (dialect !== 'auto') return post(dialect);
  if (foreign.areLeftOut) return post('bare');
  try {
    const result = await post('auto');
    foreign.take();
    return result;
  } catch (error) {
    // Several responses may be what is refused; a call for one tells.
    if (foreign.areTaken || wanted.count > 1 || !isWrongRequest(error)) throw error;
    const result = await post('bare');
    await foreign.leaveOut();
    return result;
  }
}

function readerOf<Result>(
  request: SamplingRequest,
  { count }: Pick<Wanted, 'count'>,
  read: ReadChoices<Result>,
  { settings, readerOf: readerOfRequest, foreign }: CallContext,
): (reply: unknown) => Result {
  const reader = { ...readerOfRequest(request), count };
  return (reply) => {
    foreign.hear(settings.stream ? (reply as readonly unknown[])[0] : reply);
    return read(
      settings.stream ? readStreamedChoices(reply as readonly unknown[], reader) : readChoices(reply, reader),
    );
  };
}
