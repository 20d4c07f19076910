import {
  type AnnotationCandidate,
  type AnnotationRequest,
  type AnnotationRule,
  MetaapoError,
  type RewardModel,
  type TokenizedPreference,
} from '../../contracts/index.js';
import type { RunJournal } from '../../journal/index.js';
import { uniformOf } from '../../numerics/index.js';
import type { DrawnResponse } from '../resume/iteration-record.js';
import { type Annotate, type GroupRewards, payOnce } from './pay-once.js';
import { candidatesOf, placeRewards, type RowRewards, type ScoringOptions } from './row-rewards.js';

/** A reward model that pays for no text twice. */
export interface PayingScorer {
  readonly annotate: Annotate;
  /** True where a reward holds within the call that gave it. */
  readonly isRelative: boolean;
}

/** All that gives rewards in a run: its own reward model, and the scorers of its annotation rule. */
export interface RunScorers {
  readonly own: PayingScorer;
  readonly others: Readonly<Record<string, PayingScorer>>;
}

/** What {@link annotateRows} works with. */
export interface RoundsOptions extends ScoringOptions {
  readonly rule: AnnotationRule;
  readonly scorers: RunScorers;
  readonly seed: number;
  readonly iteration: number;
  readonly signal?: AbortSignal | undefined;
}

/** A row with its responses. */
export interface SampledRowResponses {
  readonly row: TokenizedPreference;
  readonly responses: readonly DrawnResponse[];
}

/** A row while its rewards are asked for. */
interface OpenRow extends SampledRowResponses {
  readonly uniform: number;
  candidates: readonly AnnotationCandidate[];
  /** Calls by scorer. */
  readonly calls: Map<string | undefined, number>;
  unreadableComparisons: number;
}

/**
 * Passes an annotation rule beside a reward model, made or not.
 * @throws MetaapoError with code `config` when the rule scores in rounds what the reward model compares within a call
 */
export function checkRounds(
  rule: Pick<AnnotationRule, 'id' | 'scoresInRounds'>,
  rewardModel: Pick<RewardModel, 'id' | 'isRelative'>,
): void {
  if (rule.scoresInRounds === true && rewardModel.isRelative === true) throw notInRounds(rule, rewardModel.id);
}

/**
 * The scorers of a run.
 * @throws MetaapoError with code `config` when the annotation rule scores in rounds what a relative reward model compares
 */
export function scorersOf(rule: AnnotationRule, rewardModel: RewardModel, journal: RunJournal): RunScorers {
  checkRounds(rule, rewardModel);
  const paying = (model: RewardModel): PayingScorer => ({
    annotate: payOnce(model, journal),
    isRelative: model.isRelative === true,
  });
  const others = Object.entries(rule.scorers ?? {}).map(([name, model]) => [name, paying(model)] as const);
  return { own: paying(rewardModel), others: Object.fromEntries(others) };
}

/** The rewards of rows, asked for round by round as the annotation rule wants them. */
export async function annotateRows(
  rows: readonly SampledRowResponses[],
  options: RoundsOptions,
): Promise<readonly RowRewards[]> {
  const open = rows.map((row) => openRow(row, options));
  while (await scoreRound(open, options));
  return open.map((row) => closeRow(row, options));
}

function openRow({ row, responses }: SampledRowResponses, options: RoundsOptions): OpenRow {
  return {
    row,
    responses,
    candidates: candidatesOf(row, responses, options),
    uniform: uniformOf(['annotation', options.seed, options.iteration, row.row]),
    calls: new Map(),
    unreadableComparisons: 0,
  };
}

const shownTo = ({ row, candidates, uniform }: OpenRow) => ({ row: row.row, responses: candidates, uniform });

/** Makes the calls that are wanted now; false where there are none. */
async function scoreRound(open: readonly OpenRow[], options: RoundsOptions): Promise<boolean> {
  const { rule, scorers, signal, promptOf } = options;
  const wanted = open.flatMap((row) => {
    const requests = row.candidates.length === 0 ? [] : rule.next(shownTo(row));
    checkRequests(row, requests, options);
    return requests.length === 0 ? [] : [{ row, requests }];
  });
  const names = new Set(wanted.flatMap(({ requests }) => requests.map(({ scorer }) => scorer)));
  for (const name of names) {
    const asked = wanted.flatMap(({ row, requests }) => {
      const own = requests.filter(({ scorer }) => scorer === name).map(({ response }) => response);
      return own.length === 0 ? [] : [{ row, indices: own }];
    });
    const groups = asked.map(({ row, indices }) => {
      const { messages, chat, text } = promptOf(row.row);
      return { prompt: messages ?? text, chat, responses: indices.map((index) => row.candidates[index]!.text) };
    });
    const { annotate } = name === undefined ? scorers.own : scorers.others[name]!;
    const given = await annotate(groups, signal);
    for (const [at, { row, indices }] of asked.entries()) note(row, name, indices, given[at]!);
  }
  return wanted.length > 0;
}

function note(row: OpenRow, name: string | undefined, indices: readonly number[], given: GroupRewards): void {
  const byIndex = new Map(indices.map((index, at) => [index, given.rewards[at]!]));
  row.candidates = row.candidates.map((candidate, index) => {
    const reward = byIndex.get(index);
    if (reward === undefined) return candidate;
    if (name === undefined) return { ...candidate, reward };
    return { ...candidate, otherRewards: { ...candidate.otherRewards, [name]: reward } };
  });
  row.calls.set(name, (row.calls.get(name) ?? 0) + indices.length);
  row.unreadableComparisons += given.unreadableComparisons;
}

function closeRow(row: OpenRow, options: RoundsOptions): RowRewards {
  const { rule } = options;
  const rewards = rule.rewards?.(shownTo(row)) ?? row.candidates.map(({ reward }) => reward);
  if (rewards.length !== row.candidates.length) {
    throw fault(rule, row, `${row.candidates.length} rewards, a candidate each`, `${rewards.length}`);
  }
  const scored = row.calls.get(undefined) ?? 0;
  const all = [...row.calls.values()].reduce((sum, calls) => sum + calls, 0);
  return {
    ...placeRewards(row.responses, rewards, options),
    scored,
    scoredOtherwise: all - scored,
    spared: row.candidates.length - scored,
    unreadableComparisons: row.unreadableComparisons,
  };
}

/** @throws MetaapoError when a rule wants what cannot be given */
function checkRequests(row: OpenRow, requests: readonly AnnotationRequest[], { rule, scorers }: RoundsOptions): void {
  const seen = new Set<string>();
  for (const { response, scorer } of requests) {
    const candidate = row.candidates[response];
    if (candidate === undefined) throw fault(rule, row, `one of ${row.candidates.length} responses`, `${response}`);
    const from = scorer === undefined ? scorers.own : scorers.others[scorer];
    if (from === undefined) throw fault(rule, row, `one of its scorers ${Object.keys(scorers.others)}`, `${scorer}`);
    const key = `${response} ${scorer ?? ''}`;
    const known = scorer === undefined ? candidate.reward : candidate.otherRewards[scorer];
    if (known !== undefined || seen.has(key))
      throw fault(rule, row, 'a reward that it does not know', `response ${key}`);
    seen.add(key);
    if (from.isRelative && row.calls.has(scorer)) throw notInRounds(rule, scorer ?? 'of the run');
  }
}

function fault({ id }: AnnotationRule, { row }: OpenRow, expected: string, got: string): MetaapoError {
  return new MetaapoError('plugin', 'the annotation rule asks for what there is not', {
    where: `annotation rule ${id}, row ${row.row}`,
    expected,
    got,
    remedy: 'Put the rule through describeAnnotationRule of @metaapo/testing',
  });
}

function notInRounds({ id }: Pick<AnnotationRule, 'id'>, rewardModel: string): MetaapoError {
  return new MetaapoError('config', 'the rewards of this reward model hold within one call alone', {
    where: `annotation rule ${id}, reward model ${rewardModel}`,
    expected: 'a reward model whose rewards compare between calls, since the rule scores in rounds',
    remedy:
      'Choose an annotation rule that asks once, such as all, or a reward model that scores responses by themselves',
  });
}
