import type { RewardRequest } from '@metaapo/core/contracts';
import { allOrNone } from '../all-or-none.js';
import { promptText } from '../prompt-text.js';
import type { AskJudge } from './ask-judge.js';
import { fillTemplate } from './judge-template.js';
import type { ScoreRange } from './read-verdict.js';

/** What scores are asked with. */
export interface PointwiseContext {
  readonly ask: AskJudge;
  readonly template: string;
  readonly range: ScoreRange;
  /** The score that an answer states. */
  readonly read: (answer: string) => number | undefined;
}

/** A score for each request, asked on its own; NaN where no answer could be read. */
export async function scorePointwise(
  requests: readonly RewardRequest[],
  { ask, template, range, read }: PointwiseContext,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const limits = { minScore: String(range.low), maxScore: String(range.high) };
  const scores = await allOrNone(signal, (either) =>
    requests.map(({ prompt, response }) =>
      ask(fillTemplate(template, { prompt: promptText(prompt), response, ...limits }), read, either),
    ),
  );
  return Float32Array.from(scores, (score) => score ?? Number.NaN);
}
