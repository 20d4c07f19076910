import { createHash } from 'node:crypto';
import { askRewardModel, type RewardModel, type RewardRequest } from '../../contracts/index.js';
import { entriesOfKind, type RunEntry, type RunJournal } from '../../journal/index.js';

/** Responses to one prompt. */
export interface ResponseGroup {
  readonly prompt: RewardRequest['prompt'];
  readonly chat?: RewardRequest['chat'];
  readonly responses: readonly string[];
}

/** What a group was given. */
export interface GroupRewards {
  /** One a response, NaN where none could be read. */
  readonly rewards: readonly number[];
  readonly unreadableComparisons: number;
}

/** Rewards of groups of responses, in their order. */
export type Annotate = (groups: readonly ResponseGroup[], signal?: AbortSignal) => Promise<readonly GroupRewards[]>;

/** What is paid for as a whole: one response, or all responses to a prompt where their rewards are relative. */
interface Purchase {
  readonly key: string;
  readonly requests: readonly RewardRequest[];
}

/**
 * Annotation by a reward model that pays for no text twice: what is known by content (scorer, prompt, response; of
 * relative rewards all responses of the group) comes out of the journal, and what is new is journalled before it is
 * used. Texts that occur several times are scored once, also while they are being scored.
 */
export function payOnce(rewardModel: RewardModel, journal: RunJournal): Annotate {
  const paid = paidIn(journal.entries);
  const pay = (purchases: readonly Purchase[], signal: AbortSignal | undefined): void => {
    const bought = buy(purchases, rewardModel, journal, signal);
    for (const [index, { key }] of purchases.entries()) {
      const own = bought.then((all) => all[index]!);
      paid.set(key, own);
      own.catch(() => paid.delete(key));
    }
  };
  return async (groups, signal) => {
    const wanted = groups.map((group) => purchasesOf(group, rewardModel));
    const unknown = wanted.flat().filter(({ key }) => !paid.has(key));
    const purchases = [...new Map(unknown.map((purchase) => [purchase.key, purchase])).values()];
    if (rewardModel.isRelative) for (const purchase of purchases) pay([purchase], signal);
    else if (purchases.length > 0) pay(purchases, signal);
    return Promise.all(wanted.map(async (own) => joined(await Promise.all(own.map(({ key }) => paid.get(key)!)))));
  };
}

function purchasesOf({ prompt, chat, responses }: ResponseGroup, { fingerprint, isRelative }: RewardModel): Purchase[] {
  const requests = responses.map((response) => ({ prompt, ...(chat && { chat }), response }));
  const keyOf = (subject: string | readonly string[]): string =>
    createHash('sha256')
      .update(JSON.stringify([fingerprint, prompt, subject, ...(chat ? [chat] : [])]))
      .digest('base64url');
  if (isRelative) return responses.length === 0 ? [] : [{ key: keyOf(responses), requests }];
  return requests.map((request) => ({ key: keyOf(request.response), requests: [request] }));
}

/** Scores in one call, and journals a line a purchase. */
async function buy(
  purchases: readonly Purchase[],
  rewardModel: RewardModel,
  journal: RunJournal,
  signal: AbortSignal | undefined,
): Promise<readonly GroupRewards[]> {
  let unreadableComparisons = 0;
  const onUnreadable = (): void => void unreadableComparisons++;
  const requests = purchases.flatMap((purchase) => purchase.requests);
  const rewards = await askRewardModel(rewardModel, requests, signal, onUnreadable);
  let at = 0;
  const bought = purchases.map(({ requests: { length } }, index) => {
    at += length;
    const own = [...rewards.subarray(at - length, at)];
    // Comparisons belong to relative rewards, which are bought one by one.
    return { rewards: own, unreadableComparisons: index === 0 ? unreadableComparisons : 0 };
  });
  await journal.append(
    ...bought.map((one, index) => ({ kind: 'rewards' as const, key: purchases[index]!.key, ...one })),
  );
  return bought;
}

function paidIn(entries: readonly RunEntry[]): Map<string, Promise<GroupRewards>> {
  return new Map(entriesOfKind(entries, 'rewards').map(({ key, ...paid }) => [key, Promise.resolve(paid)]));
}

function joined(parts: readonly GroupRewards[]): GroupRewards {
  return {
    rewards: parts.flatMap(({ rewards }) => rewards),
    unreadableComparisons: parts.reduce((sum, part) => sum + part.unreadableComparisons, 0),
  };
}
