import type { ResponseSampler } from '@metaapo/core/contracts';
import { checkOptions } from '../check-options.js';
import type { CreatePart, TestRunner } from '../test-runner.js';
import { declareChecks } from '../test-runner.js';
import type { SamplerFlags } from './sampler-flags.js';
import { checkSamplerProbe } from './sampler-probe.js';
import {
  checkSamplerAbort,
  checkSamplerCounts,
  checkSamplerLogprobs,
  checkSamplerResponses,
  checkSamplerSeeds,
} from './sampler-responses.js';

/**
 * Declares the tests that every sampler passes.
 *
 *     describeSampler({ describe, it }, () => local({ maxNewTokens: 8 }, policy));
 */
export function describeSampler(test: TestRunner, create: CreatePart<ResponseSampler>, flags: SamplerFlags = {}): void {
  declareChecks(test, 'sampler', create, flags, {
    'has a kebab-case id and frozen, serialisable options': (sampler) => checkOptions('sampler', sampler, flags),
    'answers every request once, with as many responses as it wants': checkSamplerCounts,
    'gives responses with text, tokens and a finish reason': checkSamplerResponses,
    'gives log-probabilities of tokens where it has them': checkSamplerLogprobs,
    'gives the same responses for the same seed': flags.isSeeded === false ? undefined : checkSamplerSeeds,
    'throws under an aborted signal': flags.honoursAbort === false ? undefined : checkSamplerAbort,
    'gives log-probabilities of tokens when its servers are probed': checkSamplerProbe,
  });
}
