import { resolve } from 'node:path';
import type { ResponseSampler, SamplingRequest } from '../../contracts/index.js';
import type { RunOptions } from '../run-options.js';
import { checkDistribution } from './distribution-check.js';
import { createServingCheck, PROBES } from './serving-check.js';

/** A sampler whose servers are kept at the policy. */
export interface ServedPolicy {
  /** The sampler, which never samples from an earlier policy. */
  readonly sampler: ResponseSampler;
  /** Says that the policy is from now on the model in this directory. */
  moveTo(modelDirectory: string): void;
}

/** What {@link servePolicy} works with. */
export type ServingOptions = Pick<RunOptions, 'policy' | 'microBatchTokens' | 'observer'> & {
  readonly sampler: ResponseSampler;
};

/**
 * Follows the policy: before the first response is sampled from it as it is now, the sampler's servers are made to serve
 * it and are compared with it. A policy that was never moved is the start model, which they serve by themselves. A
 * sampler without servers, neither `refresh` nor `probe`, is left as it is.
 */
export function servePolicy({ sampler, policy, microBatchTokens, observer }: ServingOptions): ServedPolicy {
  if (sampler.refresh === undefined && sampler.probe === undefined) return { sampler, moveTo: () => undefined };
  const warning = (text: string): void => observer.warning?.(text);
  const check = createServingCheck({ sampler, policy, microBatchTokens, warning });
  let directory: string | undefined;
  let isServed = false;
  let areSettingsKnown = false;
  /** Settings stay what they are: one look at a run's begin is enough. */
  const checkSettings = async (
    requests: readonly SamplingRequest[],
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const draws = await sampler.checkSettings?.(requests, signal);
    if (draws !== undefined) {
      await checkDistribution(`sampler ${sampler.id}`, draws, { policy, microBatchTokens, warning, signal });
    }
  };
  const bringUp = async (requests: readonly SamplingRequest[], signal: AbortSignal | undefined): Promise<void> => {
    if (isServed || requests.length === 0) return;
    if (directory !== undefined) await sampler.refresh?.(directory, signal);
    const checked = await check(requests, signal);
    if (!areSettingsKnown) await checkSettings(requests.slice(0, PROBES), signal);
    areSettingsKnown = true;
    if (checked !== undefined) observer.served?.(checked);
    isServed = true;
  };
  return {
    sampler: {
      id: sampler.id,
      options: sampler.options,
      async *sample(requests, signal) {
        await bringUp(requests, signal);
        yield* sampler.sample(requests, signal);
      },
      ...(sampler.sampleFrom && {
        sampleFrom: (model, requests, signal) => sampler.sampleFrom!(model, requests, signal),
      }),
    },
    moveTo(modelDirectory) {
      directory = resolve(modelDirectory);
      isServed = false;
    },
  };
}
