import type { TokenizedPreference, TrainableModel } from '../../contracts/index.js';
import { hasOnlinePair } from '../../objectives/index.js';
import { evaluateRows, type RowLogprobs } from '../../trainer/index.js';
import { iterationModel } from '../resume/iteration-files.js';
import type { ReferenceSource, RunOptions } from '../run-options.js';

/** True while the policy is its own reference: nothing has trained it yet. */
export function isOwnReference({ startsAsReference }: RunOptions, iteration: number): boolean {
  return startsAsReference && iteration === 0;
}

/** True where the policy's log-probabilities of the slice are the reference's, and nothing else of them is read. */
export function isReferenceRead(options: RunOptions, iteration: number): boolean {
  return isOwnReference(options, iteration) && options.parts.objective.scoring?.readsEntropy !== true;
}

/** Opens the reference of an iteration, lends it and disposes it; lends the policy while that is its own reference. */
export async function withReference<Result>(
  options: RunOptions,
  iteration: number,
  use: (model: TrainableModel) => Promise<Result>,
): Promise<Result> {
  const { policy, openReference, referencePolicy, output } = options;
  if (isOwnReference(options, iteration)) return use(policy);
  const isFirst = iteration === 0 || referencePolicy === 'fixed';
  const lagging: ReferenceSource = iteration === 1 ? 'start' : { directory: iterationModel(output, iteration - 2) };
  const model = await openReference(isFirst ? 'first' : lagging);
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/** Reference log-probabilities of the offline pairs. */
export function offlineReference(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  { microBatchTokens, observer, signal }: RunOptions,
): Promise<RowLogprobs[]> {
  const progress = (done: number): void => observer.stage?.('reference', done, rows.length);
  progress(0);
  return evaluateRows(model, rows, microBatchTokens, { progress, signal });
}

/** Reference log-probabilities of all responses of the rows: of offline pairs as they are known, of online pairs anew. */
export async function withOnlineReference(
  model: TrainableModel,
  rows: readonly TokenizedPreference[],
  offline: readonly RowLogprobs[],
  { microBatchTokens, observer, signal }: RunOptions,
): Promise<readonly RowLogprobs[]> {
  const paired = rows.filter(hasOnlinePair);
  const pairs = paired.map(({ row, prompt, online }) => ({ row, prompt, ...online![0]!, online: online!.slice(1) }));
  const progress = (done: number): void => observer.stage?.('pair', done, pairs.length);
  progress(0);
  const online = await evaluateRows(model, pairs, microBatchTokens, { progress, signal });
  const byRow = new Map(paired.map(({ row }, index) => [row, online[index]!]));
  return rows.map(({ row }, index) => Float32Array.from([...offline[index]!, ...(byRow.get(row) ?? [])]));
}
