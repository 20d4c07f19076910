import {
  type ForwardTicket,
  type LogprobGradient,
  MetaapoError,
  type PassOptions,
  type PromptGroup,
  type ResponseLogprobs,
  type Tokenizer,
  type TrainableModel,
} from '@metaapo/core/contracts';
import { concatenated } from '@metaapo/core/numerics';
import { replaceDirectory } from '@metaapo/core/storage';
import { downloadModel } from '../archive/download-model.js';
import type { Connection } from './connection.js';
import { createGenerate } from './generate.js';
import type { RemotePolicy } from './remote-policy.js';
import { readSaved, type SavedOnService, writeSaved } from './saved-model.js';
import { noEntropies, type OwnOptimizer, requireOptimizer, type ServerRules } from './server-rules.js';
import { isFiniteUpdate, readingData, type WeightedGroups } from './update-request.js';

/** What a model of a service is made of. */
export interface TinkerPolicyOptions extends Pick<SavedOnService, 'url' | 'base' | 'rank'> {
  readonly connection: Connection;
  readonly policy: RemotePolicy;
  readonly fingerprint: string;
  readonly tokenizer: Tokenizer | undefined;
  readonly concurrency: number;
  readonly staleness: number;
  /** Whether `save` fetches the weights too. */
  readonly download: boolean;
  /** What is known of a service that trains; a model that is only read has none. */
  readonly rules?: ServerRules | undefined;
  readonly ownOptimizer: OwnOptimizer;
}

/** Open passes hold nothing but their rows. */
const MOST_OPEN_PASSES = 1024;

/**
 * A model on a service, as the trainer knows it. Gradients stay here until `apply` sends them with the rows that they are of,
 * so that the service holds nothing that could be half done.
 */
export function tinkerPolicy(options: TinkerPolicyOptions): TrainableModel {
  const { connection, policy, rules, base, rank, url } = options;
  const open = new Map<number, readonly PromptGroup[]>();
  let tickets = 0;
  let gathered: WeightedGroups[] = [];
  const evaluate = async (groups: readonly PromptGroup[], pass: PassOptions = {}): Promise<ResponseLogprobs> => {
    if (pass.entropies === true) throw noEntropies();
    return logprobsOf(groups, await policy.read(readingData(groups)), pass);
  };
  const written = async (directory: string): Promise<void> =>
    writeSaved(directory, { url, base, rank, weights: await policy.checkpoint(), updates: policy.updates });
  return {
    fingerprint: options.fingerprint,
    computedBy: `tinker ${rules?.kind ?? 'service'}`,
    maxOpenPasses: MOST_OPEN_PASSES,
    evaluate,
    async forward(groups, pass): Promise<ForwardTicket> {
      const id = tickets++;
      const logprobs = await evaluate(groups, pass);
      open.set(id, groups);
      return { id, ...logprobs };
    },
    async backward({ id }, gradient: LogprobGradient) {
      gathered.push({ groups: open.get(id)!, gradient });
      open.delete(id);
    },
    async discard({ id }) {
      open.delete(id);
    },
    async zeroGradients() {
      gathered = [];
    },
    async apply(step) {
      if (rules === undefined) throw readOnly();
      requireOptimizer(rules, options.ownOptimizer, rank, step);
      const update = { passes: gathered, step };
      gathered = [];
      if (!isFiniteUpdate(update)) return { gradientNorm: Number.NaN };
      return { gradientNorm: await policy.update(update) };
    },
    generate: createGenerate(options),
    save: (directory) =>
      replaceDirectory(directory, async (fresh) => {
        if (options.download) {
          await policy.use(async (model) => {
            const { name } = await connection.save(model, 'sampler');
            await downloadModel(connection.service, `training_runs/${model.id}/checkpoints/${name}/archive`, fresh);
          });
        }
        await written(fresh);
      }),
    saveState: (directory) => replaceDirectory(directory, written),
    async loadState(directory) {
      const saved = await readSaved(directory, { base, rank });
      gathered = [];
      await policy.returnTo(saved.weights);
    },
    dispose: () => void policy.close(),
  };
}

function readOnly(): MetaapoError {
  return new MetaapoError('internal', 'the model was opened to be read, and is asked to train', {
    where: 'model tinker',
  });
}

/** Log-probabilities of responses out of those of every token after the first; sums are taken in float64. */
function logprobsOf(
  groups: readonly PromptGroup[],
  all: readonly Float32Array[],
  { tokenLogprobs = false }: PassOptions,
): ResponseLogprobs {
  const responses = groups.flatMap(({ prompt, responses }) =>
    responses.map(({ length }) => ({ from: prompt.length - 1, length })),
  );
  const tokens = all.map((logprobs, index) => logprobs.subarray(responses[index]!.from));
  return {
    sumLogprobs: Float32Array.from(tokens, (values) => values.reduce((sum, value) => sum + value, 0)),
    tokenCounts: Int32Array.from(responses, ({ length }) => length),
    ...(tokenLogprobs && { tokenLogprobs: concatenated(tokens) }),
  };
}
