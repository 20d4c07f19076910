import type {
  AnnotationCandidate,
  AnnotationCandidates,
  AnnotationRequest,
  AnnotationRule,
} from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';

/** Responses with the rewards that every scorer would give them, each scorer in an order of its own. */
interface Prompt {
  readonly name: string;
  readonly responses: readonly AnnotationCandidate[];
  readonly rewards: readonly number[];
}

/** What a rule asked for, round by round, and what it knew at the end. */
interface Played {
  readonly rounds: readonly (readonly AnnotationRequest[])[];
  readonly end: AnnotationCandidates;
}

const ruleName = ({ id }: AnnotationRule): string => `annotation rule ${id}`;

function candidate(
  text: string,
  logprob: number,
  source: AnnotationCandidate['source'] = 'policy',
): AnnotationCandidate {
  const tokens = Int32Array.from(text, (letter) => letter.charCodeAt(0));
  const written = { text, tokens, finishReason: 'stop' as const, source, otherRewards: {} };
  return source === 'offline' ? written : { ...written, logprobs: new Float32Array(tokens.length).fill(logprob) };
}

const ANSWERS = ['a middling answer', 'the best answer', 'a fair answer', 'the worst answer'].map((text, at) =>
  candidate(text, [-0.5, -2, -0.75, -1.5][at]!),
);
const OFFLINE = candidate('the answer of the data', 0, 'offline');

const PROMPTS: readonly Prompt[] = [
  { name: 'rewards far apart', responses: ANSWERS, rewards: [0.2, 90, 0.5, -100] },
  { name: 'rewards close together', responses: ANSWERS, rewards: [0.5, 0.501, 0.502, 0.499] },
  { name: 'rewards that cannot be read', responses: ANSWERS, rewards: ANSWERS.map(() => Number.NaN) },
  { name: 'an offline response', responses: [...ANSWERS, OFFLINE], rewards: [0.2, 0.9, 0.5, -1, 0.4] },
  { name: 'equal texts', responses: [candidate('same', -1), candidate('same', -1)], rewards: [1, 1] },
  { name: 'one response', responses: ANSWERS.slice(0, 1), rewards: [0.2] },
];

const shown = ({ response, scorer }: AnnotationRequest): string =>
  `response ${response}${scorer === undefined ? '' : ` by ${scorer}`}`;

/** Plays rounds until the rule wants no more; every request is checked. */
function play(rule: AnnotationRule, { name, responses, rewards }: Prompt): Played {
  const scorers = Object.keys(rule.scorers ?? {});
  const rounds: (readonly AnnotationRequest[])[] = [];
  // A copy, so that a rule that changes its candidates spoils those of no other check.
  let end: AnnotationCandidates = { row: 7, responses: structuredClone(responses), uniform: 0.3 };
  for (;;) {
    const requests = rule.next(end);
    if (requests.length === 0) return { rounds, end };
    for (const [at, request] of requests.entries()) {
      checkRequest(rule, name, end, request);
      if (requests.slice(0, at).some((other) => shown(other) === shown(request))) {
        throw new ConformanceError(ruleName(rule), `with ${name} it asks for ${shown(request)} twice`);
      }
    }
    rounds.push(requests);
    end = { ...end, responses: requests.reduce((known, one) => answered(known, one, rewards, scorers), end.responses) };
  }
}

function answered(
  responses: readonly AnnotationCandidate[],
  { response, scorer }: AnnotationRequest,
  rewards: readonly number[],
  scorers: readonly string[],
): readonly AnnotationCandidate[] {
  const shift = scorer === undefined ? 0 : 1 + scorers.indexOf(scorer);
  const reward = rewards[(response + shift) % rewards.length]!;
  return responses.map((one, at) => {
    if (at !== response) return one;
    return scorer === undefined
      ? { ...one, reward }
      : { ...one, otherRewards: { ...one.otherRewards, [scorer]: reward } };
  });
}

function checkRequest(rule: AnnotationRule, name: string, row: AnnotationCandidates, request: AnnotationRequest): void {
  const { response, scorer } = request;
  const refuse = (fault: string): never => {
    throw new ConformanceError(ruleName(rule), `with ${name} it asks for ${shown(request)}, ${fault}`);
  };
  if (row.responses[response] === undefined) refuse(`expected one of ${row.responses.length} responses`);
  const one = row.responses[response]!;
  if (scorer !== undefined && !Object.hasOwn(rule.scorers ?? {}, scorer)) refuse('which is none of its scorers');
  const known = scorer === undefined ? one.reward : one.otherRewards[scorer];
  if (known !== undefined) refuse('which it was given before');
}

/**
 * Passes when every request is for a reward that there is and that is not known, so that the rule comes to an end.
 * @throws ConformanceError with the request
 */
export async function checkAnnotationRequests(rule: AnnotationRule): Promise<void> {
  for (const prompt of PROMPTS) play(rule, prompt);
  const nothing = rule.next({ row: 7, responses: [], uniform: 0.3 });
  if (nothing.length > 0)
    throw new ConformanceError(ruleName(rule), `without responses it asks for ${shown(nothing[0]!)}`);
}

/** Rewards that count, as a run reads them. */
const rewardsOf = (rule: AnnotationRule, row: AnnotationCandidates): readonly (number | undefined)[] =>
  rule.rewards?.(row) ?? row.responses.map(({ reward }) => reward);

/**
 * Passes when two responses that differ have rewards in the end, where there are two, and the offline one where there is one.
 * @throws ConformanceError with how many have
 */
export async function checkAnnotationEnd(rule: AnnotationRule): Promise<void> {
  for (const prompt of PROMPTS) {
    const texts = new Set(prompt.responses.map(({ text }) => text));
    if (texts.size < 2) continue;
    const { end } = play(rule, prompt);
    const rewards = rewardsOf(rule, end);
    const scored = new Set(end.responses.filter((_, at) => rewards[at] !== undefined).map(({ text }) => text));
    if (scored.size < 2) {
      throw new ConformanceError(
        ruleName(rule),
        `with ${prompt.name} ${scored.size} responses that differ have a reward`,
      );
    }
    if (texts.has(OFFLINE.text) && !scored.has(OFFLINE.text)) {
      throw new ConformanceError(ruleName(rule), `with ${prompt.name} that has no reward`);
    }
  }
}

/**
 * Passes when the rewards that count are ones that were given to the same responses, by one scorer.
 * @throws ConformanceError with the reward
 */
export async function checkAnnotationRewards(rule: AnnotationRule): Promise<void> {
  for (const prompt of PROMPTS) {
    const { end } = play(rule, prompt);
    const rewards = rewardsOf(rule, end);
    if (rewards.length !== end.responses.length) {
      const counts = `${rewards.length} rewards for ${end.responses.length} responses`;
      throw new ConformanceError(ruleName(rule), `with ${prompt.name} it gives ${counts}`);
    }
    const readers = [undefined, ...Object.keys(rule.scorers ?? {})];
    const isOf = (scorer: string | undefined): boolean =>
      end.responses.every(({ reward, otherRewards }, at) => {
        const given = scorer === undefined ? reward : otherRewards[scorer];
        return rewards[at] === undefined || Object.is(rewards[at], given);
      });
    if (readers.some(isOf)) continue;
    throw new ConformanceError(ruleName(rule), `with ${prompt.name} it gives rewards ${rewards}, which no scorer gave`);
  }
}

const shownRounds = ({ rounds }: Played): string => rounds.map((round) => round.map(shown).join(', ')).join('; ');

/**
 * Passes when the same candidates lead to the same requests again, whatever came between, and stay as they were.
 * @throws ConformanceError that says what changed
 */
export async function checkAnnotationPurity(rule: AnnotationRule): Promise<void> {
  for (const { responses } of PROMPTS) {
    const given = structuredClone(responses);
    rule.next({ row: 7, responses: given, uniform: 0.3 });
    if (JSON.stringify(given) !== JSON.stringify(responses)) {
      throw new ConformanceError(ruleName(rule), 'it changes its candidates');
    }
  }
  const first = PROMPTS.map((prompt) => shownRounds(play(rule, prompt)));
  rule.next({ row: 8, responses: structuredClone(ANSWERS), uniform: 0.7 });
  for (const [at, prompt] of [...PROMPTS.entries()].reverse()) {
    const again = shownRounds(play(rule, prompt));
    if (again === first[at]) continue;
    throw new ConformanceError(ruleName(rule), `with ${prompt.name} it asks for ${first[at]}, and later for ${again}`);
  }
}

/**
 * Passes when a rule that asks one scorer about a row more than once declares `scoresInRounds`.
 * @throws ConformanceError with the rounds
 */
export async function checkAnnotationRounds(rule: AnnotationRule): Promise<void> {
  if (rule.scoresInRounds === true) return;
  for (const prompt of PROMPTS) {
    const played = play(rule, prompt);
    const asked = played.rounds.flatMap((round) => [...new Set(round.map(({ scorer }) => scorer))]);
    if (new Set(asked).size === asked.length) continue;
    const rounds = `with ${prompt.name} it asks for ${shownRounds(played)}`;
    throw new ConformanceError(ruleName(rule), `it does not declare scoresInRounds, yet ${rounds}`);
  }
}

/**
 * Passes when a rule that does not declare `readsLogprobs` asks for the same without log-probabilities.
 * @throws ConformanceError with both
 */
export async function checkAnnotationLogprobs(rule: AnnotationRule): Promise<void> {
  if (rule.readsLogprobs === true) return;
  for (const prompt of PROMPTS) {
    const bare = { ...prompt, responses: prompt.responses.map(({ logprobs: _, ...rest }) => rest) };
    const [withThem, without] = [shownRounds(play(rule, prompt)), shownRounds(play(rule, bare))];
    if (withThem === without) continue;
    const both = `with ${prompt.name} it asks for ${withThem}, and for ${without} without log-probabilities`;
    throw new ConformanceError(ruleName(rule), `it does not declare readsLogprobs, yet ${both}`);
  }
}
