import type { SamplingRequest } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import type { JsonClient } from '@metaapo/core/http';
import type { OpenaiSettings } from './openai-options.js';
import type { ChoiceReader } from './read-choice.js';
import { readStream } from './read-stream.js';

/** What calls work with. */
export interface CallContext {
  /** Gives replies as text where `settings.stream` asks for streams, else as JSON. */
  readonly client: JsonClient;
  readonly settings: OpenaiSettings;
  readonly readerOf: (request: SamplingRequest) => ChoiceReader;
  /** Whether a server has refused a request with `n`, and what is done when one does. */
  readonly takesN: { readonly isRefused: boolean; refuse(): void };
}

/** Path of an endpoint below the base address. */
const PATHS: Readonly<Record<OpenaiSettings['endpoint'], string>> = {
  chat: 'chat/completions',
  completions: 'completions',
};

/**
 * The `choices` of the reply to a body; a stream that broke off is asked for again.
 * @throws MetaapoError with code `network` when the reply holds none, or the stream breaks off each time
 */
export async function askForChoices(
  body: Readonly<Record<string, unknown>>,
  request: SamplingRequest,
  { client, settings, readerOf }: CallContext,
  signal: AbortSignal | undefined,
): Promise<readonly unknown[]> {
  const { endpoint, stream, retries } = settings;
  const { where, shown } = readerOf(request);
  for (let attempt = 0; ; attempt++) {
    const reply = await client.post(PATHS[endpoint], stream ? { ...body, stream } : body, signal);
    const choices = stream ? readStream(reply as string) : (reply as { readonly choices?: unknown } | null)?.choices;
    if (Array.isArray(choices)) return choices;
    if (stream && attempt < retries) continue;
    throw new MetaapoError('network', stream ? 'the stream broke off' : 'the reply holds no choices', {
      where,
      expected: stream ? 'events up to the end of every response' : 'the reply of an OpenAI-compatible server',
      got: shown(stream ? (reply as string).slice(-SHOWN) : reply),
      remedy: stream ? "Look into the server's log" : 'Check that baseUrls end with /v1',
    });
  }
}

/** Characters of the end of a stream that a message shows. */
const SHOWN = 150;
