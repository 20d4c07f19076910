import type { MemoryEstimate, ModelSource } from '@metaapo/core/contracts';
import { print } from '../terminal/print.js';
import { gib } from '../training/training-use.js';

/** Prints the parameters of a model and the memory that its training would need. */
export function printMemory({ id }: ModelSource, estimate: MemoryEstimate | undefined): void {
  if (estimate === undefined) {
    print(`Memory: not estimated; model ${id} does not say what it needs`);
    return;
  }
  const { parameters, total, parts } = estimate;
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  print(`Parameters: ${millions(parameters.all)}, ${millions(parameters.trained)} of them trained`);
  const list = Object.entries(parts).map(([name, bytes]) => `${name} ${gib(bytes)}`);
  print(`Memory, estimated: ${gib(total)} (${list.join(', ')})`);
}

/** Models that a run has in memory beside the policy, by name: bytes of their weights; nothing where that is not known. */
export type OtherModels = Readonly<Record<string, number | undefined>>;

/**
 * Prints what models beside the policy take, and, where all of them need more memory than there is, what can be done.
 * @param estimate of the policy's training
 */
export function printFit(
  { options }: ModelSource,
  estimate: MemoryEstimate | undefined,
  others: OtherModels = {},
): void {
  const known = Object.entries(others).filter((entry): entry is [string, number] => entry[1] !== undefined);
  const all = known.reduce((sum, [, bytes]) => sum + bytes, estimate?.total ?? 0);
  if (known.length > 0) {
    const parts = known.map(([name, bytes]) => `${name} ${gib(bytes)}`);
    print(`With the weights of other models: ${gib(all)} (${parts.join(', ')})`);
  }
  if (estimate?.available === undefined || all <= estimate.available) return;
  const weights = known.reduce((sum, [, bytes]) => sum + bytes, estimate.parts.weights ?? 0);
  const remedy = weights > estimate.available ? `the weights alone take ${gib(weights)}` : smaller(options);
  print(`It does not fit into the ${gib(estimate.available)} that are there: ${remedy}. ${elsewhere(options)}`);
}

/** What needs less with the same model. */
function smaller({ lora }: ModelSource['options']): string {
  const adapter = lora === undefined ? 'an adapter (lora), ' : '';
  return `${adapter}fewer training.microBatchTokens or a smaller data.maxLength need less`;
}

function elsewhere({ path }: ModelSource['options']): string {
  const model = `{ id: tinker, url: 'http://HOST:8000', base: ${path ?? 'MODEL'} }`;
  return `On many GPUs: the same recipe with model: ${model}, see docs/scale.md`;
}
