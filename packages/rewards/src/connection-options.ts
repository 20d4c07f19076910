import { z } from 'zod';

/** How a reward model that is a service is reached. */
export interface ConnectionOptions {
  /** Most requests under way at each address. */
  readonly concurrency?: number | undefined;
  /** Time for one request in seconds, up to 300. */
  readonly timeoutSeconds?: number | undefined;
  /** Times that a failed request is tried again at each address; default 5. */
  readonly retries?: number | undefined;
  /** Environment variable that holds the API key; default none. */
  readonly apiKeyVariable?: string | undefined;
}

/** Fields of a schema for {@link ConnectionOptions}. */
export const connectionFields = {
  concurrency: z.int().positive().default(16),
  timeoutSeconds: z.number().positive().max(300).default(180),
  retries: z.int().min(0).default(5),
  apiKeyVariable: z.string().min(1).optional(),
};
