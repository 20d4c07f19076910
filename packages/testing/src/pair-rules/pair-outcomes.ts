import {
  type PairOutcome,
  type PairRule,
  pairsOf,
  type ResponsePair,
  type ScoredResponse,
} from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';

const UNIFORMS = [0, 0.3, 0.5, 0.999_999];

/** A response with this reward; the text and the tokens say the same. */
function scored(text: string, reward: number): ScoredResponse {
  const tokens = Int32Array.from(text, (letter) => letter.charCodeAt(0));
  return { text, tokens, reward, finishReason: 'stop' };
}

const RESPONSES: readonly ScoredResponse[] = [
  scored('a middling answer', 0.2),
  scored('the best answer', 0.9),
  scored('a fair answer', 0.5),
  scored('the worst answer', -1),
];

const OFFLINE = scored('the answer of the data', 0.4);

function pairRuleName(rule: PairRule): string {
  return `pair rule ${rule.id}`;
}

/** What a rule makes of a copy of the responses, the offline one with them where it reads it. */
function outcomeOf(
  rule: PairRule,
  responses: readonly ScoredResponse[],
  uniform = 0.3,
  offline = OFFLINE,
): PairOutcome {
  const own = [...responses];
  return rule.readsOffline ? rule.pair(own, uniform, offline) : rule.pair(own, uniform);
}

const shown = (outcome: PairOutcome): string =>
  'reason' in outcome
    ? `reason ${outcome.reason}`
    : pairsOf(outcome)
        .map(({ chosen, rejected }) => `"${chosen.text}" over "${rejected.text}"`)
        .join(', ') || 'an empty list of pairs';

/**
 * Passes when the pair is made of two different responses of those that were given, whatever the draw.
 * @throws ConformanceError with what was made
 */
export async function checkPairMembers(rule: PairRule): Promise<void> {
  const given = rule.readsOffline ? [...RESPONSES, OFFLINE] : RESPONSES;
  for (const uniform of UNIFORMS) {
    const outcome = outcomeOf(rule, RESPONSES, uniform);
    const when = `of responses that differ, under the draw ${uniform},`;
    if (pairsOf(outcome).length === 0)
      throw new ConformanceError(pairRuleName(rule), `${when} it makes no pair: ${shown(outcome)}`);
    const isGiven = ({ chosen, rejected }: ResponsePair): boolean =>
      given.includes(chosen) && given.includes(rejected) && chosen !== rejected;
    if (!pairsOf(outcome).every(isGiven)) {
      throw new ConformanceError(
        pairRuleName(rule),
        `${when} it takes ${shown(outcome)}, expected two that were given`,
      );
    }
  }
}

/**
 * Passes when nothing that teaches nothing becomes a pair: no response, one where two are needed, equal rewards, equal
 * texts.
 * @throws ConformanceError with the case and what was made
 */
export async function checkPairReasons(rule: PairRule): Promise<void> {
  const duplicate = (reward: number): ScoredResponse => scored(OFFLINE.text, reward);
  const cases: readonly (readonly [name: string, responses: readonly ScoredResponse[], reasons: readonly string[]])[] =
    [
      ['no response', [], ['too-few']],
      ...(rule.readsOffline ? [] : [['one response', RESPONSES.slice(0, 1), ['too-few']] as const]),
      ['equal rewards', [scored('abcd', OFFLINE.reward), scored('efgh', OFFLINE.reward)], ['tie']],
      ['equal texts', [duplicate(1), duplicate(0)], ['duplicates']],
    ];
  for (const [name, responses, reasons] of cases) {
    for (const uniform of UNIFORMS) {
      const outcome = outcomeOf(rule, responses, uniform);
      if ('reason' in outcome && reasons.includes(outcome.reason)) continue;
      const fault = `of ${name} it makes ${shown(outcome)}, expected the reason ${reasons.join(' or ')}`;
      throw new ConformanceError(pairRuleName(rule), fault);
    }
  }
}

/**
 * Passes when the chosen response has the higher reward.
 * @throws ConformanceError with both rewards
 */
export async function checkPairRewards(rule: PairRule): Promise<void> {
  for (const uniform of UNIFORMS) {
    const outcome = outcomeOf(rule, RESPONSES, uniform);
    const wrong = pairsOf(outcome).find(({ chosen, rejected }) => chosen.reward <= rejected.reward);
    if (wrong === undefined) continue;
    const rewards = `${wrong.chosen.reward} over ${wrong.rejected.reward}`;
    throw new ConformanceError(pairRuleName(rule), `it prefers the reward ${rewards}`);
  }
}

/**
 * Passes when the same two responses are taken in whatever order they arrive.
 * @throws ConformanceError with both pairs
 */
export async function checkPairOrder(rule: PairRule): Promise<void> {
  for (const uniform of UNIFORMS) {
    const [straight, reversed] = [RESPONSES, RESPONSES.toReversed()].map((given) =>
      shown(outcomeOf(rule, given, uniform)),
    );
    if (straight === reversed) continue;
    const both = `${straight}, and ${reversed} in reverse order`;
    throw new ConformanceError(pairRuleName(rule), `the order of the responses matters: ${both}`);
  }
}

/**
 * Passes when the same responses and draw give the same outcome again, and stay as they were.
 * @throws ConformanceError that says what changed
 */
export async function checkPairPurity(rule: PairRule): Promise<void> {
  const responses = structuredClone([...RESPONSES]);
  const first = shown(rule.pair(responses, 0.3, OFFLINE));
  if (JSON.stringify(responses) !== JSON.stringify(RESPONSES)) {
    throw new ConformanceError(pairRuleName(rule), 'it changes its responses');
  }
  outcomeOf(rule, RESPONSES.slice(0, 2), 0.8);
  const again = shown(rule.pair(responses, 0.3, OFFLINE));
  if (again !== first)
    throw new ConformanceError(pairRuleName(rule), `it makes ${first}, and ${again} the second time`);
}

/**
 * Passes when a rule that declares `readsOffline` makes no pair without the offline response, and another one the same
 * pair with it.
 * @throws ConformanceError with what was made
 */
export async function checkPairOffline(rule: PairRule): Promise<void> {
  const name = pairRuleName(rule);
  const [without, withIt] = [rule.pair([...RESPONSES], 0.3), rule.pair([...RESPONSES], 0.3, OFFLINE)];
  if (rule.readsOffline && !('reason' in without)) {
    throw new ConformanceError(
      name,
      `it declares readsOffline, yet without an offline response it makes ${shown(without)}`,
    );
  }
  if (!rule.readsOffline && shown(without) !== shown(withIt)) {
    const both = `${shown(without)}, and ${shown(withIt)} with an offline response`;
    throw new ConformanceError(name, `it does not declare readsOffline, yet makes ${both}`);
  }
}
