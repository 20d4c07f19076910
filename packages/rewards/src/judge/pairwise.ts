import type { RewardRequest } from '@metaapo/core/contracts';
import { allOrNone } from '../all-or-none.js';
import { promptText } from '../prompt-text.js';
import type { AskJudge } from './ask-judge.js';
import { fillTemplate } from './judge-template.js';

const TIE = 0.5;

/** What comparisons are made with. */
export interface PairwiseContext {
  readonly ask: AskJudge;
  readonly template: string;
  /** Share of the first text by the winner that an answer states. */
  readonly read: (answer: string) => number | undefined;
  /** Called for each two texts whose comparison is left out. */
  readonly onUnreadableComparison?: (() => void) | undefined;
}

/** Two texts in the order in which the judge sees them. */
interface Comparison {
  readonly key: string;
  /** The same for both orders. */
  readonly pair: string;
  readonly question: string;
}

const keyOf = (prompt: string, first: string, second: string): string => JSON.stringify([prompt, first, second]);

/**
 * Win shares `[R]`: the mean over the other responses to the same prompt of the share that a response has against each,
 * itself the mean of both orders. Equal texts tie without being asked. A comparison with an order that could not be read
 * is left out; NaN where none is left, as for a response without another one.
 */
export async function scorePairwise(
  requests: readonly RewardRequest[],
  { ask, template, read, onUnreadableComparison }: PairwiseContext,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const keys = requests.map(({ prompt }) => JSON.stringify(prompt));
  const comparisons = [...new Set(keys)].flatMap((key) =>
    comparisonsOf(
      key,
      requests.filter((_, at) => keys[at] === key),
      template,
    ),
  );
  const shares = await allOrNone(signal, (either) =>
    comparisons.map(async ({ key, question }) => [key, await ask(question, read, either)] as const),
  );
  const shareOf = new Map(shares);
  const unread = comparisons.filter(({ key }) => shareOf.get(key) === undefined).map(({ pair }) => pair);
  for (const _ of new Set(unread)) onUnreadableComparison?.();
  return Float32Array.from(requests, ({ response }, at) => {
    const others = requests.filter((_, other) => other !== at && keys[other] === keys[at]);
    return mean(others.map((other) => shareAgainst(keys[at]!, response, other.response, shareOf)));
  });
}

function comparisonsOf(key: string, group: readonly RewardRequest[], template: string): Comparison[] {
  const prompt = promptText(group[0]!.prompt);
  const texts = [...new Set(group.map(({ response }) => response))];
  return texts.flatMap((first) =>
    texts
      .filter((second) => second !== first)
      .map((second) => ({
        key: keyOf(key, first, second),
        pair: first < second ? keyOf(key, first, second) : keyOf(key, second, first),
        question: fillTemplate(template, { prompt, first, second }),
      })),
  );
}

function shareAgainst(
  prompt: string,
  own: string,
  other: string,
  shareOf: ReadonlyMap<string, number | undefined>,
): number | undefined {
  if (own === other) return TIE;
  const asFirst = shareOf.get(keyOf(prompt, own, other));
  const asSecond = shareOf.get(keyOf(prompt, other, own));
  return asFirst === undefined || asSecond === undefined ? undefined : (asFirst + 1 - asSecond) / 2;
}

/** Mean of what is known; NaN of nothing. */
function mean(values: readonly (number | undefined)[]): number {
  const known = values.filter((value) => value !== undefined);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
