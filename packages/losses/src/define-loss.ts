import type { LossState, PairArrays, PairLogprobs, PairLosses, PreferenceLoss } from '@metaapo/core/contracts';
import { MetaapoError, parseOptions } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import type { z } from 'zod';
import { detached } from './stable-ops.js';

/** A preference loss of this package: the contract, with the warnings that its options raise. */
export interface CatalogueLoss extends PreferenceLoss {
  readonly warnings: readonly string[];
}

/** Where a loss was published. */
export interface Publication {
  readonly authors: string;
  readonly title: string;
  readonly year: number;
  /** arXiv number, where there is one. */
  readonly arxiv?: string;
  /** Number of the equation in that paper, where it is certain. */
  readonly equation?: string;
}

/** What a loss is in words: for lists of parts and the docs. */
export interface LossWords {
  /** One plain sentence, without the loss's name: what it does. */
  readonly summary: string;
  /** How its gradient behaves, as the margin grows. */
  readonly gradient: string;
  /** When to choose it. */
  readonly use: string;
  /** Its name in TRL. */
  readonly trl: string;
  /** What letters of its formula stand for, where they are its own. */
  readonly letters?: Readonly<Record<string, string>>;
}

/** What is constant about a loss: everything that the docs and the plugin say of it. */
export interface LossDefinition<Schema extends z.ZodObject = z.ZodObject> extends LossWords {
  readonly id: string;
  /** The formula in plain text; letters as in the README of this package, or explained in `letters`. */
  readonly formula: string;
  readonly publications: readonly Publication[];
  /** Rewards for the loss of a reward model; log-probabilities by default. */
  readonly reads?: 'logprobs' | 'rewards';
  readonly aggregation: 'sum' | 'mean';
  readonly isReferenceFree: boolean | ((options: z.output<Schema>) => boolean);
  readonly couplesPairs?: boolean;
  readonly ranksPairs?: boolean;
  /** Its options. Their metadata may say where a default comes from, and what is usual: outside of it they are warned of. */
  readonly options: Schema;
  /** Factor between its logit and its score, where the score holds beta; see `PreferenceLoss`. */
  readonly scoreScale?: (options: z.output<Schema>) => number;
  /** Margin over which its logit grows by one: 1 / beta by default, or 1 where there is no beta. */
  readonly marginUnit?: number;
  /** Warnings about options that each alone are usual and together are not. */
  advice?(options: z.output<Schema>): readonly string[];
  /** What the loss remembers from batch to batch. */
  readonly memory?: {
    readonly initialState: LossState;
    nextState(state: LossState, options: z.output<Schema>, logprobs: PairArrays): LossState;
  };
  /** The mathematics. Runs inside `tf.tidy`; rewards are detached by the caller. */
  evaluate(logprobs: PairLogprobs, options: z.output<Schema>, state?: LossState): PairLosses;
}

/** A loss definition that can be created from options. */
export interface LossEntry<Schema extends z.ZodObject = z.ZodObject> extends LossDefinition<Schema> {
  /** @throws MetaapoError with code `config` for an option that is unknown or not accepted. */
  create(options?: z.input<Schema>): CatalogueLoss;
}

/** Makes a loss definition creatable. */
export function defineLoss<Schema extends z.ZodObject>(definition: LossDefinition<Schema>): LossEntry<Schema> {
  return Object.freeze({
    ...definition,
    create: (options: z.input<Schema> = {} as z.input<Schema>) => createLoss(definition, options),
  });
}

function createLoss<Schema extends z.ZodObject>(
  definition: LossDefinition<Schema>,
  given: z.input<Schema>,
): CatalogueLoss {
  const options = parseOptions(`loss ${definition.id}`, definition.options, given) as z.output<Schema>;
  const { isReferenceFree } = definition;
  return pureLoss({
    id: definition.id,
    options,
    ...(definition.reads ? { reads: definition.reads } : {}),
    aggregation: definition.aggregation,
    ...(definition.scoreScale ? { scoreScale: definition.scoreScale(options) } : {}),
    isReferenceFree: typeof isReferenceFree === 'boolean' ? isReferenceFree : isReferenceFree(options),
    ...(definition.couplesPairs ? { couplesPairs: true } : {}),
    ...(definition.ranksPairs ? { ranksPairs: true } : {}),
    ...boundMemory(definition, options),
    warnings: Object.freeze([...unusual(definition, options), ...(definition.advice?.(options) ?? [])]),
    compute: (logprobs: PairLogprobs, state?: LossState) => definition.evaluate(logprobs, options, state),
  });
}

/** A warning for each option outside of what its metadata calls usual. */
function unusual({ id, options: { shape } }: LossDefinition, options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(shape as Readonly<Record<string, z.ZodType>>).flatMap(([name, option]) => {
    const { usual, description } = option.meta() ?? {};
    const value = options[name];
    if (!Array.isArray(usual) || typeof value !== 'number' || (value >= usual[0] && value <= usual[1])) return [];
    return [`loss ${id}: ${name} ${value} is outside the usual ${usual[0]} to ${usual[1]}. ${description}`];
  });
}

function boundMemory<Schema extends z.ZodObject>(
  { memory }: LossDefinition<Schema>,
  options: z.output<Schema>,
): Pick<PreferenceLoss, 'initialState' | 'nextState'> {
  if (memory === undefined) return {};
  return {
    initialState: memory.initialState,
    nextState: (state, logprobs) => memory.nextState(state, options, logprobs),
  };
}

/** The same loss, frozen, with its inputs checked, its intermediates disposed and its rewards detached. */
export function pureLoss(loss: CatalogueLoss): CatalogueLoss {
  return Object.freeze({
    ...loss,
    compute: (logprobs: PairLogprobs, state?: LossState): PairLosses => {
      checkShapes(logprobs, loss.id);
      return tf.tidy(() => {
        const losses = loss.compute(logprobs, state);
        return {
          perPair: losses.perPair,
          score: losses.score,
          chosenRewards: detached(losses.chosenRewards),
          rejectedRewards: detached(losses.rejectedRewards),
        };
      });
    },
  });
}

/** Broadcasting would turn a wrong shape into a wrong loss, so all inputs must be `[B]` of one B. */
function checkShapes(logprobs: PairLogprobs, lossId: string): void {
  const expected = logprobs.policyChosen.size;
  for (const [name, tensor] of Object.entries(logprobs)) {
    if (tensor !== undefined && (tensor.rank !== 1 || tensor.size !== expected)) {
      throw new MetaapoError('config', `${name} has the wrong shape`, {
        where: `loss ${lossId}`,
        expected: `[${expected}], one number for each pair`,
        got: `[${tensor.shape.join(', ')}]`,
      });
    }
  }
}
