import { z } from 'zod';

/** Entries of a body that the sampler alone decides on. */
const OWN_ENTRIES = ['model', 'messages', 'prompt', 'n', 'stream'];

/** Node's fetch gives up when nothing arrives for so long, headers included. */
const FETCH_SECONDS = 300;
const MOST_SECONDS = 86_400;

const seconds = (most: number) => z.number().min(0.001).max(most);
const json: z.ZodType<unknown, unknown> = z.json();
const body = z.record(z.string().max(200), json).readonly();
const text = z.string().min(1).max(4096);

/** Checks {@link OpenaiOptions} and fills in the defaults. */
export const openaiSchema = z
  .strictObject({
    baseUrls: z.array(text).min(1).max(1000).readonly().describe(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a recipe says.
      'Addresses up to and with `/v1`; each takes the next request as soon as it is free, and the others stand in for one that is dead. A key in a query is an environment variable: `?key=${NAME}`.',
    ),
    model: text.describe('Name under which the servers offer the policy.'),
    startModel: text
      .optional()
      .describe(
        'Name asked for until the first refresh, `model` where it is absent: that of the base, where `model` is an adapter that a refresh loads.',
      ),
    endpoint: z
      .enum(['chat', 'completions'])
      .default('chat')
      .describe(
        'chat sends the conversation, or the prompt as a user’s message; completions sends the prompt’s token ids, which no server renders anew.',
      ),
    maxNewTokens: z.int().min(1).max(1_000_000).default(2048).describe('Most tokens of a response.'),
    temperature: z.number().min(0).max(1000).default(1).describe('Divides the logits; always sent.'),
    topP: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe('Keeps the likeliest tokens that together reach this probability; always sent.'),
    topK: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Keeps the k likeliest tokens; absent: all, whatever the server’s own setting is.'),
    minP: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Keeps tokens of at least this share of the likeliest one’s probability; absent: 0, all.'),
    dialect: z
      .enum(['auto', 'vllm', 'sglang', 'llama.cpp', 'tgi', 'openai'])
      .default('auto')
      .describe(
        'Words in which each request says that nothing else changes the distribution: auto says those of all servers, and none where one refuses them, see below.',
      ),
    stop: z
      .array(z.string().min(1).max(1000))
      .min(1)
      .max(64)
      .readonly()
      .optional()
      .describe('Texts that end a response; they are left out of it.'),
    concurrency: z.int().min(1).max(10_000).default(32).describe('Requests under way at each address.'),
    stream: z
      .boolean()
      .default(false)
      .describe(
        'Has responses sent piece by piece: a request may then take longer than 300 s, as long as no piece does.',
      ),
    timeoutSeconds: seconds(MOST_SECONDS)
      .default(FETCH_SECONDS)
      .describe(
        'Time for one request; without `stream` 300 is also the most, since Node’s `fetch` waits no longer for a reply to begin.',
      ),
    retries: z
      .int()
      .min(0)
      .max(100)
      .default(5)
      .describe('Times that a request is tried again at each address, with growing waits.'),
    apiKeyVariable: z.string().min(1).max(200).optional().describe('Environment variable that holds the API key.'),
    useN: z
      .boolean()
      .default(true)
      .describe(
        'One request with `n` for all responses to a prompt, and one each for those that the server leaves out, or for all where it refuses `n`; false: one request each.',
      ),
    probe: z.boolean().default(true).describe('Whether the servers are compared with the policy, see below.'),
    extraBody: body.optional().describe(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a recipe says.
      'Entries of each request’s body; they replace the sampler’s, and `null` takes one out, as `{ seed: null }` for a server that refuses seeds. A text `${NAME}` is the value of an environment variable.',
    ),
    refresh: z
      .enum(['none', 'command', 'reload-endpoint', 'directory'])
      .default('none')
      .describe('How the servers come to serve a new policy, see below.'),
    refreshCommand: z.string().min(1).max(100_000).optional().describe('Command line for `command`.'),
    refreshDirectory: text
      .optional()
      .describe('Path at which `directory` puts a link to the policy; relative to the working directory.'),
    refreshPath: text
      .optional()
      .describe('Path from each server’s root for `reload-endpoint`, and for `directory` where it is given.'),
    refreshBody: body
      .optional()
      .describe("Body for `refreshPath`, with `{directory}` in its texts; absent: `{ model_path: '{directory}' }`."),
    refreshTimeoutSeconds: seconds(MOST_SECONDS)
      .default(600)
      .describe('Time for a refresh, until every server answers `models` again.'),
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

/** Options of {@link openai}. */
export type OpenaiOptions = z.input<typeof openaiSchema>;

/** Checked options with their defaults. */
export type OpenaiSettings = z.output<typeof openaiSchema>;
