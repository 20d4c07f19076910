import { join } from 'node:path';
import type { ModelSource, TrainingUse } from '@metaapo/core/contracts';
import { type LocalModelOptions, localModel } from '@metaapo/models';
import { type TinkerOptions, tinker } from '@metaapo/tinker';
import { ADAMW } from './dpo-training.js';
import { writeRandomQwen3 } from './random-qwen3.js';
import { servicePython, startTrainingServer, type TrainingServer } from './training-server.js';

/** What policies are opened for in these tests. */
export const USE: TrainingUse = { optimizer: ADAMW, seed: 1, longestRow: 128 };

/** A random model as a real server trains it and as this machine does. */
export interface ServedModel {
  readonly server: TrainingServer;
  /** Directory of the model. */
  readonly base: string;
  /** The model on the server, with an adapter of rank 8. */
  remote(options?: Partial<TinkerOptions>): ModelSource;
  /** The same model on this machine, with an adapter. */
  local(adapter?: string): ModelSource;
}

/**
 * Starts a server with a new random model.
 * @param directory of all that is written
 * @param python that has the server
 */
export async function serveRandomModel(directory: string, python = servicePython!): Promise<ServedModel> {
  const base = join(directory, 'base');
  await writeRandomQwen3(base);
  const server = await startTrainingServer({
    model: base,
    directory: join(directory, 'server'),
    python,
  });
  const local = (adapter?: string): ModelSource => {
    const options: LocalModelOptions = { path: base, executor: 'eager', ...(adapter !== undefined && { adapter }) };
    return localModel(options, { report: () => undefined });
  };
  const remote = (options?: Partial<TinkerOptions>): ModelSource =>
    tinker({ url: server.url, base, rank: 8, ...options }, { env: {}, describeText: () => local().describe() });
  return { server, base, local, remote };
}
