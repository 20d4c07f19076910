import { z } from 'zod';

/** Options of {@link openai}. */
export interface OpenaiOptions {
  /** Addresses up to and with `/v1`; several share the requests by their speed, and stand in for one another. */
  readonly baseUrls: readonly string[];
  /** Name under which the servers offer the policy. */
  readonly model: string;
  /** Name of the start model, asked for until the first refresh; default `model`. For an adapter that is loaded later. */
  readonly startModel?: string | undefined;
  /** `chat` sends the conversation, which the server renders; `completions` the prompt's token ids. Default `chat`. */
  readonly endpoint?: 'chat' | 'completions' | undefined;
  /** Most tokens of a response; default 2048. */
  readonly maxNewTokens?: number | undefined;
  /** Divides the logits; default 1. */
  readonly temperature?: number | undefined;
  /** Keeps the likeliest tokens that together reach this probability; default 1, all. */
  readonly topP?: number | undefined;
  /** Keeps the k likeliest tokens; not sent by default, so that the server's own setting holds. */
  readonly topK?: number | undefined;
  /** Keeps tokens of at least this share of the likeliest one's probability; not sent by default. */
  readonly minP?: number | undefined;
  /** Texts that end a response; they are left out of it. */
  readonly stop?: readonly string[] | undefined;
  /** Most requests under way at each address; default 32. */
  readonly concurrency?: number | undefined;
  /** Has responses sent piece by piece, so that a request may take longer than 300 s; default false. */
  readonly stream?: boolean | undefined;
  /** Time for one request in seconds; default 300, which is also the most without `stream`. */
  readonly timeoutSeconds?: number | undefined;
  /** Times that a failed request is tried again at each address; default 5. */
  readonly retries?: number | undefined;
  /** Environment variable that holds the API key; default none. */
  readonly apiKeyVariable?: string | undefined;
  /** Asks for all responses to a prompt in one request by `n`, until a server refuses that; default true. */
  readonly useN?: boolean | undefined;
  /** Lets the servers be compared with the policy before they are sampled from; default true. */
  readonly probe?: boolean | undefined;
  /** Further entries of each request's body; they replace the sampler's, and `null` takes one out. */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined;
  /** How the servers come to serve a new policy; default `none`: they follow by themselves. */
  readonly refresh?: 'none' | 'command' | 'reload-endpoint' | 'directory' | undefined;
  /** Command line for `command`; it finds the policy in the directory METAAPO_MODEL_DIRECTORY. */
  readonly refreshCommand?: string | undefined;
  /** Path at which `directory` puts a link to the policy, in one step; relative to the working directory. */
  readonly refreshDirectory?: string | undefined;
  /** Path from a server's root for `reload-endpoint`, e.g. `/update_weights_from_disk`; optional for `directory`. */
  readonly refreshPath?: string | undefined;
  /** Body for `refreshPath`, with `{directory}` in its texts; default `{ model_path: '{directory}' }`. */
  readonly refreshBody?: Readonly<Record<string, unknown>> | undefined;
  /** Time for a refresh in seconds, until every server answers again; default 600. */
  readonly refreshTimeoutSeconds?: number | undefined;
}

/** Entries of a body that the sampler alone decides on. */
const OWN_ENTRIES = ['model', 'messages', 'prompt', 'n', 'stream'];

/** Node's fetch gives up when nothing arrives for so long, headers included. */
const FETCH_SECONDS = 300;
const MOST_SECONDS = 86_400;

const body = z.record(z.string(), z.json());

/** Checks {@link OpenaiOptions} and fills in the defaults. */
export const openaiSchema = z
  .strictObject({
    baseUrls: z.array(z.string().min(1)).min(1).readonly(),
    model: z.string().min(1),
    startModel: z.string().min(1).optional(),
    endpoint: z.enum(['chat', 'completions']).default('chat'),
    maxNewTokens: z.int().positive().default(2048),
    temperature: z.number().min(0).default(1),
    topP: z.number().gt(0).max(1).default(1),
    topK: z.int().positive().optional(),
    minP: z.number().min(0).max(1).optional(),
    stop: z.array(z.string().min(1)).min(1).readonly().optional(),
    concurrency: z.int().positive().default(32),
    stream: z.boolean().default(false),
    timeoutSeconds: z.number().positive().max(MOST_SECONDS).default(FETCH_SECONDS),
    retries: z.int().min(0).default(5),
    apiKeyVariable: z.string().min(1).optional(),
    useN: z.boolean().default(true),
    probe: z.boolean().default(true),
    extraBody: body.optional(),
    refresh: z.enum(['none', 'command', 'reload-endpoint', 'directory']).default('none'),
    refreshCommand: z.string().min(1).optional(),
    refreshDirectory: z.string().min(1).optional(),
    refreshPath: z.string().min(1).optional(),
    refreshBody: body.optional(),
    refreshTimeoutSeconds: z.number().positive().default(600),
  })
  .superRefine((settings, context) => {
    const { startModel, extraBody, stream, timeoutSeconds, refresh } = settings;
    const { refreshCommand, refreshDirectory, refreshPath, refreshBody } = settings;
    const refuse = (option: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [option], message });
    };
    const own = OWN_ENTRIES.find((entry) => extraBody !== undefined && entry in extraBody);
    if (own !== undefined) refuse('extraBody', `${own} is decided by the sampler`);
    if (timeoutSeconds > FETCH_SECONDS && !stream)
      refuse('timeoutSeconds', `above ${FETCH_SECONDS} needs stream: true`);
    if (startModel !== undefined && refresh === 'none') refuse('startModel', 'it needs a refresh, which ends its use');
    const belongs = (option: string, value: unknown, to: readonly string[], isNeeded = false): void => {
      if (value !== undefined && !to.includes(refresh)) refuse(option, `it is for refresh: ${to.join(' or ')} alone`);
      if (value === undefined && isNeeded && to[0] === refresh) refuse(option, `refresh: ${refresh} needs it`);
    };
    belongs('refreshCommand', refreshCommand, ['command'], true);
    belongs('refreshDirectory', refreshDirectory, ['directory'], true);
    belongs('refreshPath', refreshPath, ['reload-endpoint', 'directory'], true);
    belongs('refreshBody', refreshBody, ['reload-endpoint', 'directory']);
    if (refreshBody !== undefined && refreshPath === undefined) refuse('refreshBody', 'it is for refreshPath alone');
  });

/** Checked options with their defaults. */
export type OpenaiSettings = z.output<typeof openaiSchema>;
