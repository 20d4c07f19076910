import type { LossState, PairArrays, PairLogprobs, PairLosses, PreferenceLoss } from '@metaapo/core/contracts';
import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import type { OptionFields } from './option-fields.js';
import { optionProblems, resolveOptions } from './option-fields.js';
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
export interface LossDefinition<Options extends object> extends LossWords {
  readonly id: string;
  /** The formula in plain text; letters as in the README of this package, or explained in `letters`. */
  readonly formula: string;
  readonly publications: readonly Publication[];
  /** Rewards for the loss of a reward model; log-probabilities by default. */
  readonly reads?: 'logprobs' | 'rewards';
  readonly aggregation: 'sum' | 'mean';
  readonly isReferenceFree: boolean | ((options: Readonly<Required<Options>>) => boolean);
  readonly couplesPairs?: boolean;
  readonly ranksPairs?: boolean;
  readonly options: OptionFields<Options>;
  /** Margin over which its logit grows by one: 1 / beta by default, or 1 where there is no beta. */
  readonly marginUnit?: number;
  /** What two options say together that neither says alone; a sentence when it cannot be, else `undefined`. */
  conflict?(options: Readonly<Required<Options>>): string | undefined;
  /** Warnings about options that each alone are usual and together are not. */
  advice?(options: Readonly<Required<Options>>): readonly string[];
  /** What the loss remembers from batch to batch. */
  readonly memory?: {
    readonly initialState: LossState;
    nextState(state: LossState, options: Readonly<Required<Options>>, logprobs: PairArrays): LossState;
  };
  /** The mathematics. Runs inside `tf.tidy`; rewards are detached by the caller. */
  evaluate(logprobs: PairLogprobs, options: Readonly<Required<Options>>, state?: LossState): PairLosses;
}

/** A loss definition that can be created from options. */
export interface LossEntry<Options extends object> extends LossDefinition<Options> {
  /** Standard Schema of the options. */
  readonly schema: OptionsSchema<Options>;
  /** @throws MetaapoError with code `config` for an option that is unknown or not accepted. */
  create(options?: Options): CatalogueLoss;
}

/** The part of Standard Schema version 1 that a plugin host needs. */
export interface OptionsSchema<Options> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: 'metaapo';
    validate(
      value: unknown,
    ):
      | { readonly value: Options }
      | { readonly issues: readonly { readonly message: string; readonly path: readonly string[] }[] };
  };
}

/** Makes a loss definition creatable. */
export function defineLoss<Options extends object>(definition: LossDefinition<Options>): LossEntry<Options> {
  return Object.freeze({
    ...definition,
    schema: optionsSchema(definition.options),
    create: (options: Options = {} as Options) => createLoss(definition, options),
  });
}

function createLoss<Options extends object>(definition: LossDefinition<Options>, given: Options): CatalogueLoss {
  const { options, warnings } = resolveOptions(definition.id, definition.options, given);
  const conflict = definition.conflict?.(options);
  if (conflict !== undefined) throw new MetaapoError('config', conflict, { where: `loss ${definition.id}` });
  const { isReferenceFree } = definition;
  return pureLoss({
    id: definition.id,
    options: options as Readonly<Record<string, unknown>>,
    ...(definition.reads ? { reads: definition.reads } : {}),
    aggregation: definition.aggregation,
    isReferenceFree: typeof isReferenceFree === 'boolean' ? isReferenceFree : isReferenceFree(options),
    ...(definition.couplesPairs ? { couplesPairs: true } : {}),
    ...(definition.ranksPairs ? { ranksPairs: true } : {}),
    ...boundMemory(definition, options),
    warnings: Object.freeze([...warnings, ...(definition.advice?.(options) ?? [])]),
    compute: (logprobs: PairLogprobs, state?: LossState) => definition.evaluate(logprobs, options, state),
  });
}

function boundMemory<Options extends object>(
  { memory }: LossDefinition<Options>,
  options: Readonly<Required<Options>>,
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

/** Standard Schema of an option's fields. */
export function optionsSchema<Options extends object>(fields: OptionFields<Options>): OptionsSchema<Options> {
  return {
    '~standard': {
      version: 1,
      vendor: 'metaapo',
      validate: (value) => {
        const issues = optionProblems(fields, value ?? {});
        return issues.length === 0 ? { value: (value ?? {}) as Options } : { issues };
      },
    },
  };
}
