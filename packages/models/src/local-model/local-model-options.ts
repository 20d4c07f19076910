import { z } from 'zod';

/** Options of a new low-rank adapter. */
export const loraOptions = z.strictObject({
  rank: z.int().positive().max(65_536).default(16).describe('Rows of the narrow matrices.'),
  alpha: z.number().positive().max(1e6).default(32).describe('The product counts alpha / rank times.'),
  targetModules: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(1000)
    .default(['all-linear'])
    .describe('Last parts of the names of the modules that get one; all-linear for all linear modules of the blocks.'),
  useRslora: z.boolean().default(false).describe('The product counts alpha / sqrt(rank) times instead.'),
});

/** Options of the part `local`. */
export const localModelOptions = z
  .strictObject({
    path: z.string().min(1).max(4096).describe('Directory of the model, or its hub id.'),
    revision: z.string().min(1).max(500).optional().describe('Branch, tag or commit of a hub id; default main.'),
    adapter: z.string().min(1).max(4096).optional().describe('A PEFT adapter to go on from: directory or hub id.'),
    lora: loraOptions.optional().describe('A new low-rank adapter that is trained instead of the model.'),
    backend: z
      .enum(['tensorflow-gpu', 'tensorflow', 'webgpu', 'wasm'])
      .optional()
      .describe('Where it is computed; default the best that is there.'),
    executor: z
      .enum(['auto', 'xla', 'compiled', 'eager'])
      .default('auto')
      .describe('How programs run; auto: xla on a GPU where it works, else compiled where the backend can.'),
    precision: z.enum(['float32', 'bfloat16']).default('float32').describe('Element type of matrix products.'),
    normalizeReward: z
      .boolean()
      .optional()
      .describe(
        'Whether a reward model of OpenRLHF is normalised by its mean and deviation; default as its config says.',
      ),
    checkpoint: z
      .enum(['none', 'matmul-outputs', 'block-inputs'])
      .default('matmul-outputs')
      .describe('What a block keeps for its backward pass: memory, never results.'),
  })
  .refine(({ adapter, lora: begun }) => adapter === undefined || begun === undefined, {
    message: 'give adapter, to go on with one, or lora, to begin one, not both',
    path: ['lora'],
  });

/** Options of {@link localModel}. */
export type LocalModelOptions = z.input<typeof localModelOptions>;

/** {@link LocalModelOptions} with every default in force. */
export type LocalModelSettings = Readonly<z.output<typeof localModelOptions>>;
