import type { SelectionCandidates, SelectionRule } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { refusal } from '../refusal.js';
import { firstDifference } from '../same-values.js';
import { CANDIDATE_ARRAYS, candidatesOf, ruleName } from './candidate-rows.js';
import type { SelectionRuleFlags } from './selection-rule-flags.js';

const LIMITS = [undefined, 0, 1, 7, 60, 1000] as const;

/**
 * Passes when the selection is an Int32Array of ascending, unique indices into the candidates.
 * @throws ConformanceError that names the index
 */
export async function checkSelectionIndices(rule: SelectionRule): Promise<void> {
  const name = ruleName(rule);
  for (const limit of LIMITS) {
    const candidates = candidatesOf(limit);
    const selected = rule.select(candidates);
    if (!(selected instanceof Int32Array)) throw new ConformanceError(name, 'the selection is no Int32Array');
    const outside = selected.find((at) => at < 0 || at >= candidates.rows.length);
    if (outside !== undefined) {
      const range = `0 to ${candidates.rows.length - 1}`;
      throw new ConformanceError(name, `index ${outside} lies outside of the candidates, ${range}`);
    }
    const twice = selected.find((at, index) => selected.indexOf(at) !== index);
    if (twice !== undefined) throw new ConformanceError(name, `index ${twice} is selected twice`);
    const fallen = selected.findIndex((at, index) => index > 0 && at < selected[index - 1]!);
    if (fallen > 0) {
      const pair = `${selected[fallen - 1]} and then ${selected[fallen]}`;
      throw new ConformanceError(name, `the indices are not ascending: ${pair}`);
    }
  }
}

/**
 * Passes when no more candidates are selected than the limit, 0 included.
 * @throws ConformanceError with both numbers
 */
export async function checkSelectionLimit(rule: SelectionRule): Promise<void> {
  for (const limit of [0, 1, 7, 59]) {
    const { length } = rule.select(candidatesOf(limit));
    if (length > limit)
      throw new ConformanceError(ruleName(rule), `it selects ${length} rows under a limit of ${limit}`);
  }
}

/**
 * Passes when the same rows are selected in whatever order they arrive.
 * @throws ConformanceError that names a row
 */
export async function checkSelectionOrder(rule: SelectionRule): Promise<void> {
  for (const limit of [undefined, 1, 7]) {
    const straight = candidatesOf(limit);
    const shuffled = candidatesOf(
      limit,
      Array.from({ length: straight.rows.length }, (_, at) => (at * 43 + 17) % 60),
    );
    const expected = rowsSelected(rule, straight);
    const got = rowsSelected(rule, shuffled);
    const at = firstDifference(got, expected);
    if (at === undefined) continue;
    const rows = `row ${expected[at] ?? got[at]} is among the selected in one order only`;
    throw new ConformanceError(
      ruleName(rule),
      `the order of the rows matters, under a limit of ${limit ?? 'none'}: ${rows}`,
    );
  }
}

function rowsSelected(rule: SelectionRule, candidates: SelectionCandidates): number[] {
  return [...rule.select(candidates)].map((at) => candidates.rows[at]!).sort((a, b) => a - b);
}

/**
 * Passes when the same candidates give the same selection twice and stay as they were.
 * @throws ConformanceError that names what changed
 */
export async function checkSelectionPurity(rule: SelectionRule): Promise<void> {
  const candidates = candidatesOf(7);
  const first = rule.select(candidates).slice();
  const kept = candidatesOf(7);
  const changed = CANDIDATE_ARRAYS.find((name) => firstDifference(candidates[name], kept[name]) !== undefined);
  if (changed !== undefined) throw new ConformanceError(ruleName(rule), `it changes ${changed} of the candidates`);
  rule.select(candidatesOf());
  if (firstDifference(rule.select(kept), first) !== undefined) {
    throw new ConformanceError(ruleName(rule), 'the same candidates give another selection the second time');
  }
}

/**
 * Passes when no candidates give an empty selection, with a limit and without.
 * @throws ConformanceError with the number selected
 */
export async function checkSelectionEmpty(rule: SelectionRule): Promise<void> {
  for (const limit of [undefined, 0, 5]) {
    const { length } = rule.select(candidatesOf(limit, []));
    if (length > 0) throw new ConformanceError(ruleName(rule), `it selects ${length} of no candidates`);
  }
}

/**
 * Passes when a rule that reads weights refuses NaN by a MetaapoError, and one that declares not to read scores selects
 * the same whatever scores and weights are.
 * @throws ConformanceError that says what happened instead
 */
export async function checkSelectionWeights(rule: SelectionRule, flags: SelectionRuleFlags = {}): Promise<void> {
  const name = ruleName(rule);
  const candidates = candidatesOf(7);
  const broken = { ...candidates, weights: candidates.weights.with(3, Number.NaN) };
  if (flags.readsWeights ?? rule.readsScores) {
    const error = await refusal(name, 'given a weight NaN', () => rule.select(broken));
    if (error === undefined) throw new ConformanceError(name, 'it accepts a weight NaN; refuse it with a MetaapoError');
  }
  if (rule.readsScores) return;
  const nothing = new Float32Array(candidates.rows.length).fill(Number.NaN);
  const blind = rule.select({ ...candidates, scores: nothing, weights: nothing });
  if (firstDifference(blind, rule.select(candidates)) === undefined) return;
  throw new ConformanceError(name, 'it declares readsScores false, yet scores or weights change its selection');
}
