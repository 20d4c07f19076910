import { z } from 'zod';
import { SERVERS } from './model/server-rules.js';

const decay = z.number().min(0).lt(1);

/** What a recipe may say of a model on a service. */
export const tinkerOptions = z.strictObject({
  url: z.string().min(1).max(4096).describe('Address of the service, such as http://head:8000.'),
  base: z.string().min(1).max(4096).describe('The model, in the very words in which the service names it.'),
  text: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('Directory or hub id of its tokenizer, chat template and config; no weights are fetched; default base.'),
  revision: z.string().min(1).max(500).optional().describe('Branch, tag or commit of text, where that is a hub id.'),
  rank: z
    .int()
    .min(0)
    .max(65_536)
    .default(32)
    .describe(
      'Rows of the narrow matrices of the adapter that is trained; 0 trains all parameters, where the service can.',
    ),
  from: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('Directory that a training with this source saved: its model is the start, in place of the base model.'),
  apiKeyVariable: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Environment variable with the API key; left out for a service that wants none.'),
  server: z
    .enum(SERVERS)
    .optional()
    .describe('What the service computes like; default what a probe on a model that is thrown away finds.'),
  wire: z
    .enum(['json', 'protobuf'])
    .optional()
    .describe('How passes are sent; JSON, or protobuf; default JSON where the service takes it.'),
  serverOptimizer: z
    .strictObject({
      betas: z.tuple([decay, decay]).default([0.9, 0.999]).describe('Of the moments.'),
      epsilon: z.number().min(1e-30).max(1).default(1e-8).describe('Beside the root of the second moment.'),
      weightDecay: z.number().min(0).max(1000).default(0.01).describe('Decoupled.'),
      maxGradNorm: z
        .union([z.number().positive().max(1e12), z.literal(false)])
        .default(1)
        .describe('Norm to which gradients are clipped; false: they are not.'),
    })
    .prefault({})
    .describe('AdamW as a service of SkyRL-Train was started with it: it takes no other from a recipe.'),
  saveEvery: z
    .int()
    .min(1)
    .max(100_000)
    .default(20)
    .describe('Updates after which the service keeps the state; after a failure those since are done again.'),
  staleness: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe('Updates that the weights which responses are drawn from may be behind.'),
  download: z
    .boolean()
    .optional()
    .describe(
      'Whether saving fetches the weights beside the note where they lie; default true for adapters, false for whole models.',
    ),
  concurrency: z.int().min(1).max(4096).default(32).describe('Prompts whose responses are under way at a time.'),
  patienceSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(600)
    .describe('How long a service that does not answer is waited for.'),
});

/** Options of the model source `tinker`. */
export type TinkerOptions = z.input<typeof tinkerOptions>;

/** The same, checked, with every default filled in. */
export type TinkerSettings = Readonly<z.output<typeof tinkerOptions>>;
