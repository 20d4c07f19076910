import {
  deepFrozen,
  MetaapoError,
  type Objective,
  type ObjectiveInput,
  type ObjectiveState,
  type PreferenceLoss,
  type TokenizedPreference,
  type TrainingObjective,
} from '../contracts/index.js';
import { groupOf, heldOutMetrics, type RowLogprobs, type TrainingMetrics } from '../trainer/index.js';
import { type ChosenStart, chosenChange, nextChosenStart, watchChosenFall } from './chosen-fall.js';
import { checkLossReads, checkMargins, checkReference } from './loss-requirements.js';
import { emptyBuffer } from './meta-buffer.js';
import { countMetaUpdates, type MetaWeighing, updateMeta, withoutLeftover } from './meta-weighing.js';
import { withLossState } from './pair-losses.js';
import { joinPairs, meanOf, pairMetrics } from './pair-metrics.js';
import { memoryOf, type PreferenceMemory, stateOf } from './preference-memory.js';
import {
  hasOnlinePair,
  offlineValues,
  type PreferenceValues,
  pairScores,
  rowObjective,
  type Weighing,
} from './preference-rows.js';

/** What {@link preference} is made of. */
export interface PreferenceOptions {
  readonly loss: PreferenceLoss;
  /** Weighs offline against online pairs; absent, offline pairs count 1 and online pairs are not trained. */
  readonly metaLearner?: MetaWeighing | undefined;
  /** Rows without an online pair under a meta-learner: left out (default), or trained offline with weight 1. */
  readonly unselected?: 'keep' | 'drop' | undefined;
}

/**
 * Preference learning: the mean loss over pairs, or with a meta-learner MetaAPO's (arXiv 2509.23371)
 * mean(w L(offline pair) + (1 - w) L(online pairs)).
 * @throws MetaapoError with code `config` when the loss compares rewards, or when a meta-learner is to weigh the pairs of
 * a loss that ranks them
 */
export function preference(options: PreferenceOptions): Objective<'preference'> {
  const { loss, metaLearner, unselected = 'drop' } = options;
  checkLossReads(loss, 'logprobs');
  if (metaLearner !== undefined && loss.ranksPairs === true) throw notWeighable(loss);
  const { learner, start, ...section } = metaLearner ?? {};
  return {
    ...pairObjective(options),
    id: 'preference',
    options: deepFrozen({
      loss: { id: loss.id, ...loss.options },
      ...(learner && {
        metaLearner: { id: learner.id, ...learner.options, ...given(section) },
        unselected,
      }),
    }),
    trains: 'policy',
    readsReference: loss.isReferenceFree ? false : 'sums',
    scoring: {
      readsEntropy: learner?.readsEntropy === true,
      scores: (rows, policy) => pairScores(loss, { ...rows, policy }),
      ...(learner && { weights: (state, features) => learner.weights(memoryOf(state).metaLearner, features) }),
    },
    trainedRows(rows, slice) {
      if (loss.readsMargins === true) checkMargins(loss, rows);
      if (learner === undefined) return rows;
      const paired = rows.filter(hasOnlinePair);
      if (paired.length === 0 && slice === undefined) throw noOnlinePair(rows.length);
      return unselected === 'drop' ? paired : rows;
    },
    filesOf(state) {
      const { metaLearner: arrays } = memoryOf(state);
      return Object.keys(arrays).length === 0 ? {} : { 'meta-learner': arrays };
    },
    initialState: (seed) =>
      stateOf({
        metaBuffer: emptyBuffer(),
        metaSteps: 0,
        lossState: loss.initialState,
        metaLearner: { ...learner?.initialState(seed), ...start },
      }),
    ...(metaLearner?.leftover === 'discard' && {
      beginIteration: (state: ObjectiveState) => stateOf(withoutLeftover(memoryOf(state))),
    }),
    ...(metaLearner !== undefined &&
      metaLearner.learner.isFixed !== true && {
        metaUpdates: (steps: readonly number[]) => countMetaUpdates(metaLearner, steps),
      }),
  };
}

/** The settings that are there. */
function given(settings: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/**
 * A reward model out of pairs: the mean of a loss over the rewards of chosen and rejected responses.
 * @throws MetaapoError with code `config` when the loss compares log-probabilities
 */
export function reward({ loss }: Pick<PreferenceOptions, 'loss'>): Objective<'preference'> {
  checkLossReads(loss, 'rewards');
  return {
    ...pairObjective({ loss }),
    id: 'reward',
    options: deepFrozen({ loss: { id: loss.id, ...loss.options } }),
    trains: 'scorer',
    readsReference: false,
    trainedRows(rows) {
      if (loss.readsMargins === true) checkMargins(loss, rows);
      return rows;
    },
    initialState: () =>
      stateOf({ metaLearner: {}, metaBuffer: emptyBuffer(), metaSteps: 0, lossState: loss.initialState }),
  };
}

function notWeighable({ id }: PreferenceLoss): MetaapoError {
  return new MetaapoError('config', 'a meta-learner cannot weigh pairs that the loss ranks against each other', {
    where: `loss ${id}`,
    expected: 'a loss of single pairs',
    remedy: 'Choose another loss, or leave metaLearner out of the recipe',
  });
}

function noOnlinePair(rows: number): MetaapoError {
  return new MetaapoError('data', 'no row has an online pair, so metaLearner has nothing to weigh', {
    where: 'recipe metaLearner',
    expected: 'rows with online_chosen and online_rejected beside chosen and rejected',
    got: `${rows} rows of offline pairs alone`,
    remedy: 'Leave metaLearner out, or let `metaapo run` make the online pairs',
  });
}

type Input = ObjectiveInput<TokenizedPreference>;

/** What both objectives over pairs have in common. */
function pairObjective(options: PreferenceOptions): Pick<Objective<'preference'>, 'rowForm' | 'groupsOf' | 'open'> {
  return {
    rowForm: 'preference',
    groupsOf: (row) => [groupOf(row)],
    open(input) {
      const { loss } = options;
      checkReference(loss, input.reference, 'the training rows');
      if (loss.readsMargins === true) checkMargins(loss, [...input.rows, ...(input.heldOut?.rows ?? [])]);
      if (input.heldOut !== undefined) checkReference(loss, input.heldOut.reference, 'the held-out rows');
      return openPairs(options, input);
    },
  };
}

function openPairs({ loss, metaLearner }: PreferenceOptions, input: Input): TrainingObjective {
  const { iteration, heldOut } = input;
  return {
    async accumulate(indices, state, where) {
      const batch = selectRows(input, indices);
      const memory = memoryOf(state);
      const weighing = metaLearner && { ...metaLearner, iteration, state: memory.metaLearner };
      const stated = withLossState(loss, memory.lossState);
      const pieces = await accumulateBatch(stated, batch, input, weighing, where);
      return {
        metrics: batchMetrics(loss, pieces, memory.chosenStart),
        rows: batch.rows.map(({ row }) => row),
        tokens: batch.rows.reduce((sum, row) => sum + seenTokens(row), 0),
        weights: weighing && Float32Array.from(pieces.flatMap((piece) => [...piece.weighted!.weights])),
        afterStep() {
          const next = { ...memory, ...nextMemory(loss, memory, pieces) };
          if (metaLearner === undefined) return { state: stateOf(next), metrics: {} };
          return updateMeta({ ...metaLearner, iteration }, next, pieces);
        },
      };
    },
    evaluate:
      heldOut &&
      (async (state, controls) => {
        const readings = await input.passes.read(heldOut.rows.map(groupOf), controls);
        const policy = readings.map(({ values }) => values);
        const stated = withLossState(loss, memoryOf(state).lossState);
        const { offline, offlineArrays } = await offlineValues(stated, { ...heldOut, policy }, 'the evaluation');
        return heldOutMetrics({
          loss: meanOf(offline.perPair),
          ...pairMetrics(offline, offlineArrays),
          ...chosenChange(loss, offlineArrays),
        });
      }),
    warnings: loss.warnings,
    watch: () => watchChosenFall(loss),
  };
}

/** What loss and warning remember after a batch. The loss sees offline pairs first, then online ones. */
function nextMemory(
  loss: PreferenceLoss,
  { lossState, chosenStart }: PreferenceMemory,
  pieces: readonly PreferenceValues[],
): Pick<PreferenceMemory, 'lossState' | 'chosenStart'> {
  const offline = pieces.map(({ offlineArrays }) => offlineArrays);
  const online = pieces.flatMap(({ weighted }) => weighted?.onlineArrays ?? []);
  return {
    chosenStart: nextChosenStart(loss, joinPairs(offline), chosenStart),
    lossState: lossState && loss.nextState ? loss.nextState(lossState, joinPairs([...offline, ...online])) : lossState,
  };
}

interface Batch {
  readonly rows: readonly TokenizedPreference[];
  readonly reference: readonly RowLogprobs[] | undefined;
}

function selectRows({ rows, reference }: Input, indices: Int32Array): Batch {
  const pick = <Item>(items: readonly Item[]): Item[] => Array.from(indices, (index) => items[index]!);
  return { rows: pick(rows), reference: reference && pick(reference) };
}

/** Tokens as trainers of padded pairs count them: the prompt once a response. */
function seenTokens(row: TokenizedPreference): number {
  const { prompt, responses } = groupOf(row);
  return responses.reduce((sum, response) => sum + prompt.length + response.length, 0);
}

/** Adds the gradient of the batch's mean loss to the model's gradients. */
async function accumulateBatch(
  loss: PreferenceLoss,
  { rows, reference }: Batch,
  { passes }: Pick<Input, 'passes'>,
  weighing: Weighing | undefined,
  where: string,
): Promise<readonly PreferenceValues[]> {
  const pieces: PreferenceValues[] = [];
  const wishes = { entropies: weighing?.learner.readsEntropy, couplesGroups: loss.couplesPairs };
  await passes.forwardBackward(
    rows.map(groupOf),
    async (readings, { start, end }) => {
      const piece = {
        rows: rows.slice(start, end),
        reference: reference?.slice(start, end),
        policy: readings.map(({ values }) => values),
        entropies: readings[0]?.sumEntropies && readings.map(({ sumEntropies }) => sumEntropies!),
      };
      const { values, gradients } = await rowObjective(loss, piece, weighing, 1 / rows.length, where);
      pieces.push(values);
      return { perResponse: gradients };
    },
    wishes,
  );
  return pieces;
}

function batchMetrics(
  lossPart: PreferenceLoss,
  pieces: readonly PreferenceValues[],
  start: ChosenStart | undefined,
): TrainingMetrics {
  const offline = joinPairs(pieces.map((piece) => piece.offline));
  const arrays = joinPairs(pieces.map((piece) => piece.offlineArrays));
  const loss = meanOf(pieces.flatMap(({ perRow }) => [...perRow]));
  const weighted = pieces.flatMap((piece) => (piece.weighted === undefined ? [] : [piece.weighted]));
  const ofPairs = { ...pairMetrics(offline, arrays), ...chosenChange(lossPart, arrays, start) };
  if (weighted.length === 0) return { loss, ...ofPairs };
  const onlineLosses = weighted.flatMap(({ online }) => [...(online?.perPair ?? [])]);
  const weights = weighted.flatMap((piece) => piece.paired.map((index) => piece.weights[index]!));
  return {
    loss,
    'loss/offline': meanOf(offline.perPair),
    ...(onlineLosses.length === 0 ? {} : { 'loss/online': meanOf(onlineLosses), 'meta/weight_mean': meanOf(weights) }),
    ...ofPairs,
  };
}
