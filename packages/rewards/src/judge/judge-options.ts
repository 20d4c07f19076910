import { z } from 'zod';
import { type ConnectionOptions, connectionFields } from '../connection-options.js';

/** Options of {@link judge}. */
export interface JudgeOptions extends ConnectionOptions {
  /** Addresses up to and with `/v1`; several share the requests by their speed. */
  readonly baseUrls: readonly string[];
  /** Name of the judge's model. */
  readonly model: string;
  /** `pointwise` scores each response; `pairwise` compares the responses to a prompt. Default `pointwise`. */
  readonly mode?: 'pointwise' | 'pairwise' | undefined;
  /** File with the question, relative to the working directory; default a template of this package. */
  readonly templatePath?: string | undefined;
  /** A system message before the question; default none. */
  readonly systemPrompt?: string | undefined;
  /** Lowest and highest score of `pointwise`; default 1 and 10. A score outside is not read. */
  readonly minScore?: number | undefined;
  readonly maxScore?: number | undefined;
  /** Times that a question is asked until its answer can be read, from 1; default 3. */
  readonly attempts?: number | undefined;
  /** Most tokens of an answer; default 1024. */
  readonly maxNewTokens?: number | undefined;
  /** Divides the logits; default 0. Above it a question that is asked again is likelier to be answered otherwise. */
  readonly temperature?: number | undefined;
  /** Further entries of each request's body; they replace the judge's, and `null` takes one out. */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined;
}

/** Entries of a body that the judge alone decides on. */
const OWN_ENTRIES = ['model', 'messages', 'n', 'stream'];

/** Checks {@link JudgeOptions} and fills in the defaults. */
export const judgeSchema = z
  .strictObject({
    baseUrls: z.array(z.string().min(1)).min(1).readonly(),
    model: z.string().min(1),
    mode: z.enum(['pointwise', 'pairwise']).default('pointwise'),
    templatePath: z.string().min(1).optional(),
    systemPrompt: z.string().min(1).optional(),
    minScore: z.number().optional(),
    maxScore: z.number().optional(),
    attempts: z.int().positive().default(3),
    maxNewTokens: z.int().positive().default(1024),
    temperature: z.number().min(0).default(0),
    extraBody: z.record(z.string(), z.json()).optional(),
    ...connectionFields,
  })
  .superRefine(({ mode, minScore, maxScore, extraBody }, context) => {
    const refuse = (option: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [option], message });
    };
    const own = OWN_ENTRIES.find((entry) => extraBody !== undefined && entry in extraBody);
    if (own !== undefined) refuse('extraBody', `${own} is decided by the judge`);
    if (mode === 'pairwise') {
      if (minScore !== undefined) refuse('minScore', 'it is for mode: pointwise alone');
      if (maxScore !== undefined) refuse('maxScore', 'it is for mode: pointwise alone');
    }
    const { low, high } = scoreRange({ minScore, maxScore });
    if (low >= high) refuse('maxScore', `it has to be above minScore, which is ${low}`);
  });

/** Checked options with their defaults. */
export type JudgeSettings = z.output<typeof judgeSchema>;

/** Lowest and highest score of a pointwise judge. */
export function scoreRange({ minScore = 1, maxScore = 10 }: Pick<JudgeSettings, 'minScore' | 'maxScore'>): {
  readonly low: number;
  readonly high: number;
} {
  return { low: minScore, high: maxScore };
}
