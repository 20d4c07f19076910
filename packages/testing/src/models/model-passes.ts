import type { ModelSource, PromptGroup, ResponseLogprobs } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import {
  coefficients,
  groupsOf,
  modelName,
  requireSame,
  responsesOf,
  sumsOf,
  toleranceOf,
  USE,
  withPolicy,
} from './model-cases.js';
import type { ModelFlags } from './model-flags.js';

/**
 * Passes when a model says without its weights what it says when it is open, the same every time.
 * @throws ConformanceError that names what differs
 */
export async function checkModelDescription(source: ModelSource): Promise<void> {
  const name = modelName(source);
  const told = await source.describe();
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  if (!isCount(told.vocabularySize)) throw new ConformanceError(name, `vocabularySize is ${told.vocabularySize}`);
  if (!isCount(told.contextLength)) throw new ConformanceError(name, `contextLength is ${told.contextLength}`);
  const beyond = told.eosTokenIds.find((id) => !(id >= 0 && id < told.vocabularySize));
  if (beyond !== undefined) throw new ConformanceError(name, `the end id ${beyond} lies outside of its vocabulary`);
  if (told.fingerprint === '') throw new ConformanceError(name, 'its description has no fingerprint');
  await withPolicy(source, async (policy) => {
    for (const key of ['vocabularySize', 'contextLength', 'fingerprint'] as const) {
      if (policy[key] === told[key]) continue;
      throw new ConformanceError(name, `its ${key} is ${told[key]} without weights and ${policy[key]} with them`);
    }
    if (`${policy.eosTokenIds}` !== `${told.eosTokenIds}`) throw new ConformanceError(name, 'its end ids differ');
    if (policy.model.computedBy === '') throw new ConformanceError(name, 'it does not say what computes it');
  });
}

/**
 * Passes when a forward pass and an evaluation give the same finite log-probabilities, not above 0, with the right counts,
 * whatever groups are computed together, and change no input.
 * @throws ConformanceError that names the response
 */
export async function checkModelPasses(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  const tolerance = toleranceOf(flags);
  await withPolicy(source, async ({ model }) => {
    const groups = groupsOf(flags);
    const evaluated = await model.evaluate(groups);
    requireSound(name, evaluated, groups);
    if (JSON.stringify(groups) !== JSON.stringify(groupsOf(flags)))
      throw new ConformanceError(name, 'it changes groups');
    const ticket = await model.forward(groups);
    requireSame(name, 'forward and evaluate differ', ticket.sumLogprobs, evaluated.sumLogprobs, tolerance);
    await model.discard(ticket);
    const alone: number[] = [];
    for (const group of groups.toReversed()) alone.unshift(...(await sumsOf(model, [group])));
    requireSame(name, 'a group alone differs from the same among others', alone, evaluated.sumLogprobs, tolerance);
  });
}

function requireSound(
  name: string,
  { sumLogprobs, tokenCounts }: ResponseLogprobs,
  groups: readonly PromptGroup[],
): void {
  const lengths = groups.flatMap(({ responses }) => responses.map(({ length }) => length));
  if (sumLogprobs.length !== lengths.length) {
    throw new ConformanceError(name, `it gives ${sumLogprobs.length} log-probabilities of ${lengths.length} responses`);
  }
  requireSame(name, 'tokenCounts', tokenCounts, lengths, 0);
  const wrong = sumLogprobs.findIndex((value) => !(value <= ROUNDING && value > Number.NEGATIVE_INFINITY));
  if (wrong >= 0) throw new ConformanceError(name, `response ${wrong} has the log-probability ${sumLogprobs[wrong]}`);
}

/** By how much rounding may lift the logarithm of a probability above 0. */
const ROUNDING = 1e-3;

/**
 * Passes when log-probabilities of tokens and entropies come where they are asked for, and only there: tokens add up to
 * their responses, and entropies lie between 0 and the logarithm of the vocabulary's size a token.
 * @throws ConformanceError that names the response
 */
export async function checkModelTokens(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const name = modelName(source);
  const groups = groupsOf(flags);
  await withPolicy(source, async ({ model, vocabularySize }) => {
    const plain = await model.evaluate(groups);
    if (plain.tokenLogprobs !== undefined) throw new ConformanceError(name, 'it gives tokens that nobody asked for');
    const { givesTokenLogprobs = true, givesEntropies = true } = flags;
    const wished = { tokenLogprobs: givesTokenLogprobs, entropies: givesEntropies };
    const { tokenLogprobs, sumEntropies, tokenCounts } = await model.evaluate(groups, wished);
    if (givesTokenLogprobs) {
      if (tokenLogprobs === undefined) throw new ConformanceError(name, 'it gives no log-probabilities of tokens');
      requireSame(
        name,
        'tokens do not add up',
        sumsByCount(tokenLogprobs, tokenCounts),
        plain.sumLogprobs,
        toleranceOf(flags),
      );
    }
    if (!givesEntropies) return;
    const most = (at: number): number => tokenCounts[at]! * Math.log(vocabularySize) + ROUNDING;
    const wrong = Array.from(tokenCounts).findIndex(
      (_, at) => !((sumEntropies?.[at] ?? -1) >= -ROUNDING && sumEntropies![at]! <= most(at)),
    );
    if (wrong >= 0)
      throw new ConformanceError(name, `response ${wrong} has the entropy ${sumEntropies?.[wrong] ?? 'nothing'}`);
  });
}

function sumsByCount(values: Float32Array, counts: Int32Array): number[] {
  let at = 0;
  return Array.from(counts, (count) => {
    at += count;
    return values.subarray(at - count, at).reduce((sum, value) => sum + value, 0);
  });
}

/**
 * Passes when the start opened as a reference says what the policy says before it is trained, and goes on saying it when the
 * policy moves; where one model alone can be open, the reference is opened first and disposed.
 * @throws ConformanceError that names the response
 */
export async function checkModelReference(source: ModelSource, flags: ModelFlags = {}): Promise<void> {
  const groups = groupsOf(flags);
  const reference = await source.openReference('start', { longestRow: USE.longestRow });
  const before = await sumsOf(reference.model, groups).finally(() => reference.model.dispose());
  const { fingerprint } = reference.model;
  await withPolicy(source, async ({ model }) => {
    requireSame(
      modelName(source),
      'the reference is not the start',
      await sumsOf(model, groups),
      before,
      toleranceOf(flags),
    );
    if (model.fingerprint !== fingerprint) {
      throw new ConformanceError(modelName(source), 'the start has another fingerprint as a reference');
    }
  });
}

/** A gradient for the responses of groups. */
export const gradientOf = (groups: readonly PromptGroup[]): Float32Array => coefficients(responsesOf(groups));
