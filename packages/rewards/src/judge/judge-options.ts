import { z } from 'zod';
import { connectionOptions } from '../connection-options.js';

/** Entries of a body that the judge alone decides on. */
const OWN_ENTRIES = ['model', 'messages', 'n', 'stream'];

const text = z.string().min(1).max(4096);
const json: z.ZodType<unknown, unknown> = z.json();
const score = z.number().min(-1e6).max(1e6);

/** Checks {@link JudgeOptions} and fills in the defaults. */
export const judgeSchema = z
  .strictObject({
    baseUrls: z
      .array(text)
      .min(1)
      .max(1000)
      .readonly()
      .describe('Addresses up to and with `/v1`; several share the requests by their speed.'),
    model: text.describe('Name of the judge’s model.'),
    mode: z
      .enum(['pointwise', 'pairwise'])
      .default('pointwise')
      .describe('pointwise scores each response; pairwise compares the responses to a prompt.'),
    templatePath: text
      .optional()
      .describe(
        'File with the question, relative to the working directory; absent: this package’s own. It holds `{prompt}` and `{response}`, also `{minScore}`, `{maxScore}`; or `{prompt}`, `{first}` and `{second}`.',
      ),
    systemPrompt: z.string().min(1).max(1_000_000).optional().describe('A system message before the question.'),
    minScore: score.optional().describe('Lowest score of pointwise, 1 where it is absent; another one is not read.'),
    maxScore: score.optional().describe('Highest score of pointwise, 10 where it is absent; another one is not read.'),
    attempts: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe(
        'Times that a question is asked until its answer can be read, each with another seed; absent: 3, or 1 at temperature 0, where the same question has the same answer.',
      ),
    pattern: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe(
        'Regular expression whose first group, where it is found last, is the score or the winner (`A`, `B`, `tie`); absent: `Score: 7` or `Winner: A`, however it is dressed.',
      ),
    maxNewTokens: z.int().min(1).max(1_000_000).default(1024).describe('Most tokens of an answer.'),
    temperature: z
      .number()
      .min(0)
      .max(1000)
      .default(0)
      .describe('Divides the logits. Above 0 a question that is asked again is likelier to be answered otherwise.'),
    extraBody: z
      .record(z.string().max(200), json)
      .readonly()
      .optional()
      .describe(
        'Entries of each request’s body; they replace the judge’s, and `null` takes one out, as in `{ max_tokens: null, max_completion_tokens: 1024 }`.',
      ),
    ...connectionOptions,
  })
  .superRefine((settings, context) => {
    const { mode, minScore, maxScore, extraBody, attempts, pattern } = settings;
    const refuse = (option: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [option], message });
    };
    const own = OWN_ENTRIES.find((entry) => extraBody !== undefined && entry in extraBody);
    if (own !== undefined) refuse('extraBody', `${own} is decided by the judge`);
    if (attempts !== undefined && attempts > 1 && isGreedy(settings)) {
      refuse('attempts', 'it needs a temperature above 0: the same question has the same answer');
    }
    if (pattern !== undefined && !isPattern(pattern)) refuse('pattern', 'it is no regular expression');
    if (mode === 'pairwise') {
      if (minScore !== undefined) refuse('minScore', 'it is for mode: pointwise alone');
      if (maxScore !== undefined) refuse('maxScore', 'it is for mode: pointwise alone');
    }
    const { low, high } = scoreRange({ minScore, maxScore });
    if (low >= high) refuse('maxScore', `it has to be above minScore, which is ${low}`);
  });

/** Options of {@link judge}. */
export type JudgeOptions = z.input<typeof judgeSchema>;

/** Checked options with their defaults. */
export type JudgeSettings = z.output<typeof judgeSchema>;

/** Times that a question is asked at most. */
export function attemptsOf(settings: JudgeSettings): number {
  return settings.attempts ?? (isGreedy(settings) ? 1 : 3);
}

/** Whether the judge takes the likeliest tokens; without a temperature, servers draw. */
function isGreedy({ temperature, extraBody = {} }: Pick<JudgeSettings, 'temperature' | 'extraBody'>): boolean {
  return (Object.hasOwn(extraBody, 'temperature') ? extraBody.temperature : temperature) === 0;
}

function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'gm').global;
  } catch {
    return false;
  }
}

/** Lowest and highest score of a pointwise judge. */
export function scoreRange({ minScore = 1, maxScore = 10 }: Pick<JudgeSettings, 'minScore' | 'maxScore'>): {
  readonly low: number;
  readonly high: number;
} {
  return { low: minScore, high: maxScore };
}
