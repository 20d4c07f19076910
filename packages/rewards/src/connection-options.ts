import { z } from 'zod';

/** Options of how a reward model that is a service is reached. */
export const connectionOptions = {
  concurrency: z.int().min(1).max(10_000).default(16).describe('Requests under way at each address.'),
  timeoutSeconds: z.number().min(0.001).max(300).default(180).describe('Time for one request.'),
  retries: z
    .int()
    .min(0)
    .max(100)
    .default(5)
    .describe('Times that a request is tried again at each address, with growing waits.'),
  apiKeyVariable: z.string().min(1).max(200).optional().describe('Environment variable that holds the API key.'),
};
