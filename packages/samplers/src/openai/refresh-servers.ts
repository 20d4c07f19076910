import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isMetaapoError, MetaapoError, type PartContext } from '@metaapo/core/contracts';
import { createJsonClient, withVariables } from '@metaapo/core/http';
import { z } from 'zod';
import { linkPolicy } from './link-policy.js';
import type { OpenaiSettings } from './openai-options.js';
import { runCommand } from './run-command.js';

const SERVICE = 'sampler openai';
const POLL_MS = 250;
/** Time for an answer that says that a server is up. */
const POLL_TIMEOUT_SECONDS = 10;

/** What a refresh may use of the run. */
export type Surroundings = Pick<PartContext, 'env' | 'baseDirectory' | 'report'>;

/**
 * Makes the servers serve the policy in a directory, and waits until each of them answers `models` again.
 * @throws MetaapoError with code `network` when a command or a server fails, or it takes longer than it may
 */
export async function refreshServers(
  modelDirectory: string,
  settings: OpenaiSettings,
  surroundings: Surroundings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { refresh, refreshTimeoutSeconds, model } = settings;
  if (refresh === 'none') {
    surroundings.report(
      `${SERVICE}: refresh is none; ${model} is trusted to be served from ${modelDirectory} from now on`,
    );
    return;
  }
  const deadline = AbortSignal.timeout(refreshTimeoutSeconds * 1000);
  const stop = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  let last: unknown;
  try {
    await REFRESH[refresh](modelDirectory, settings, surroundings, stop);
    await Promise.all(
      settings.baseUrls.map((url) => untilServing(url, settings, surroundings, stop, (error) => (last = error))),
    );
  } catch (error) {
    if (isMetaapoError(error) || !deadline.aborted || signal?.aborted) throw error;
    throw lateError(modelDirectory, settings, last);
  }
}

type Refresh = (
  modelDirectory: string,
  settings: OpenaiSettings,
  surroundings: Surroundings,
  signal: AbortSignal,
) => Promise<void>;

/** The ways of a refresh. */
const REFRESH: Readonly<Record<Exclude<OpenaiSettings['refresh'], 'none'>, Refresh>> = {
  command: refreshByCommand,
  'reload-endpoint': reload,
  async directory(modelDirectory, settings, surroundings, signal) {
    const path = resolve(surroundings.baseDirectory, settings.refreshDirectory!);
    await linkPolicy(modelDirectory, path);
    if (settings.refreshPath !== undefined) await reload(path, settings, surroundings, signal);
  },
};

async function refreshByCommand(
  modelDirectory: string,
  { refreshCommand }: OpenaiSettings,
  { env, baseDirectory }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const given = { ...env, METAAPO_MODEL_DIRECTORY: modelDirectory };
  const ending = await runCommand(refreshCommand!, { directory: baseDirectory, env: given, signal });
  if (ending === undefined) return;
  throw new MetaapoError('network', 'the refresh command failed', {
    where: SERVICE,
    expected: 'exit code 0',
    got: ending,
    remedy: `See its output; METAAPO_MODEL_DIRECTORY was ${modelDirectory}`,
  });
}

async function reload(
  modelDirectory: string,
  settings: OpenaiSettings,
  { env }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const { refreshPath, refreshBody = { model_path: '{directory}' } } = settings;
  const { value, secrets } = withVariables(SERVICE, refreshBody, env);
  const body = filledIn(value, modelDirectory);
  const post = async (address: string): Promise<void> => {
    const { origin, search } = new URL(address);
    const client = createJsonClient({
      ...connection(settings),
      env,
      secrets,
      baseUrl: `${origin}${search}`,
      reply: 'text',
    });
    const reply = parsed(await client.post(refreshPath!, body, signal));
    if (!failureSchema.safeParse(reply).success) return;
    throw new MetaapoError('network', 'the server does not take the new policy', {
      where: `${SERVICE} at ${new URL(address).origin}`,
      got: client.shown(reply),
      remedy: 'Correct refreshPath and refreshBody',
    });
  };
  await Promise.all(settings.baseUrls.map(post));
}

/** What a server answers that could not load the policy. */
const failureSchema = z.union([z.object({ success: z.literal(false) }), z.object({ error: z.json().refine(Boolean) })]);

/** JSON, or a text as it is: vLLM answers with a sentence, SGLang with `{"success": ...}`. */
function parsed(reply: unknown): unknown {
  try {
    return JSON.parse(reply as string);
  } catch {
    return reply;
  }
}

function filledIn(value: unknown, directory: string): unknown {
  if (typeof value === 'string') return value.replaceAll('{directory}', directory);
  if (Array.isArray(value)) return value.map((item) => filledIn(item, directory));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filledIn(inner, directory)]));
}

async function untilServing(
  baseUrl: string,
  settings: OpenaiSettings,
  { env }: Surroundings,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const once = { retries: 0, timeoutSeconds: POLL_TIMEOUT_SECONDS };
  const client = createJsonClient({ ...connection(settings), ...once, env, baseUrl });
  for (;;) {
    try {
      await client.get('models', signal);
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      onFailure(error);
      await wait(POLL_MS, undefined, { signal });
    }
  }
}

function connection({ apiKeyVariable, timeoutSeconds, retries }: OpenaiSettings) {
  return { service: SERVICE, apiKeyVariable, timeoutSeconds, retries, concurrency: 1 };
}

function lateError(modelDirectory: string, settings: OpenaiSettings, last: unknown): MetaapoError {
  const { refreshTimeoutSeconds, baseUrls } = settings;
  return new MetaapoError('network', 'the servers do not serve again after the refresh', {
    where: isMetaapoError(last) ? last.fault.where : `${SERVICE} at ${baseUrls.join(', ')}`,
    expected: `an answer to models within ${refreshTimeoutSeconds} s`,
    got: (isMetaapoError(last) && last.fault.got) || 'none',
    remedy: `See whether the servers loaded ${modelDirectory}, or raise refreshTimeoutSeconds`,
  });
}
