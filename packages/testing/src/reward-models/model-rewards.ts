import type { RewardModel, RewardRequest } from '@metaapo/core/contracts';
import { ConformanceError } from '../conformance-error.js';
import { firstDisagreement } from '../same-values.js';
import type { RewardModelFlags } from './reward-model-flags.js';

/** Room for scorers that are models and batch their requests. */
const TOLERANCE = 1e-4;

const REQUESTS: readonly RewardRequest[] = [
  { prompt: 'Name a colour.', response: 'Blue.' },
  { prompt: [{ role: 'user', content: 'What is 2 + 2?' }], response: 'The answer is 4, as two and two make four.' },
  { prompt: 'Give me JSON.', response: '{"colour": "blue"}' },
  { prompt: 'Say nothing.', response: '' },
  { prompt: 'Greet me.', response: 'Grüße! 👋\n\n- one\n- two' },
];

function modelName(model: RewardModel): string {
  return `reward model ${model.id}`;
}

function requestsOf({ requests }: RewardModelFlags): RewardRequest[] {
  return structuredClone([...(requests ?? REQUESTS)]);
}

/**
 * Passes when there is one finite number or NaN for each request, in a Float32Array, nothing for no requests, and the
 * requests stay as they were.
 * @throws ConformanceError with the rewards at fault
 */
export async function checkRewardValues(model: RewardModel, flags: RewardModelFlags = {}): Promise<void> {
  const name = modelName(model);
  for (const count of [0, 1, requestsOf(flags).length]) {
    const requests = requestsOf(flags).slice(0, count);
    const kept = JSON.stringify(requests);
    const rewards = await model.score(requests);
    if (!(rewards instanceof Float32Array)) throw new ConformanceError(name, 'the rewards are no Float32Array');
    if (rewards.length !== count) {
      throw new ConformanceError(name, `it gives ${rewards.length} rewards for ${count} requests`);
    }
    const infinite = rewards.findIndex((reward) => Math.abs(reward) === Number.POSITIVE_INFINITY);
    if (infinite >= 0) {
      throw new ConformanceError(name, `reward ${infinite} is ${rewards[infinite]}, expected a finite number or NaN`);
    }
    if (JSON.stringify(requests) !== kept) throw new ConformanceError(name, 'it changes its requests');
  }
}

/**
 * Passes when every request gets the reward that it gets alone, at its own place, and the same again.
 * @throws ConformanceError with both rewards
 */
export async function checkRewardOrder(model: RewardModel, flags: RewardModelFlags = {}): Promise<void> {
  const name = modelName(model);
  const requests = requestsOf(flags);
  const rewards = await model.score(requests);
  const again = firstDisagreement(await model.score(requests), rewards, TOLERANCE);
  if (again !== undefined) throw new ConformanceError(name, `request ${again} gets another reward the second time`);
  const reversed = (await model.score(requests.toReversed())).toReversed();
  const moved = firstDisagreement(reversed, rewards, TOLERANCE);
  if (moved !== undefined) {
    const values = `${rewards[moved]}, and ${reversed[moved]} in reverse order`;
    throw new ConformanceError(
      name,
      `the rewards do not follow the order of the requests: request ${moved} gets ${values}`,
    );
  }
  for (const [at, request] of requests.entries()) {
    const alone = await model.score([request]);
    if (firstDisagreement(alone, [rewards[at]!], TOLERANCE) === undefined) continue;
    throw new ConformanceError(name, `request ${at} gets ${alone[0]} alone and ${rewards[at]} among others`);
  }
}

/**
 * Passes when the fingerprint is a non-empty string that scoring does not change.
 * @param twin another model made with the same options, which must have the same fingerprint
 * @throws ConformanceError with the fingerprints
 */
export async function checkRewardFingerprint(
  model: RewardModel,
  flags: RewardModelFlags = {},
  twin?: RewardModel,
): Promise<void> {
  const name = modelName(model);
  const { fingerprint } = model;
  if (typeof fingerprint !== 'string' || fingerprint.trim() === '') {
    throw new ConformanceError(name, `its fingerprint is no text, got ${JSON.stringify(fingerprint)}`);
  }
  await model.score(requestsOf(flags));
  if (model.fingerprint !== fingerprint) {
    throw new ConformanceError(name, `scoring changes its fingerprint from ${fingerprint} to ${model.fingerprint}`);
  }
  if (twin !== undefined && twin.fingerprint !== fingerprint) {
    const both = `${fingerprint} and ${twin.fingerprint}`;
    throw new ConformanceError(name, `two models of the same options have the fingerprints ${both}`);
  }
}

/**
 * Passes when `score` rejects under a signal that is aborted already.
 * @throws ConformanceError when it resolves
 */
export async function checkRewardAbort(model: RewardModel, flags: RewardModelFlags = {}): Promise<void> {
  const scored = await model.score(requestsOf(flags), AbortSignal.abort()).then(
    () => true,
    () => false,
  );
  if (scored) throw new ConformanceError(modelName(model), 'it scores under an aborted signal');
}
