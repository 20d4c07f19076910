import type { RewardRequest } from '@metaapo/core/contracts';
import { allOrNone } from '../all-or-none.js';
import { promptText } from '../prompt-text.js';
import type { AskJudge } from './ask-judge.js';
import { fillTemplate } from './judge-template.js';

/** Range of the scores. */
export interface ScoreRange {
  readonly low: number;
  readonly high: number;
}

/** The score of a line such as `Score: 7`; `undefined` for anything else, and for a score outside the range. */
export function readScore(line: string, { low, high }: ScoreRange): number | undefined {
  const stated = /^Score:\s*(-?\d+(?:\.\d+)?)$/.exec(line)?.[1];
  const score = Number(stated ?? Number.NaN);
  return score >= low && score <= high ? score : undefined;
}

/** A score for each request, asked on its own; NaN where no answer could be read. */
export async function scorePointwise(
  requests: readonly RewardRequest[],
  { ask, template, range }: { readonly ask: AskJudge; readonly template: string; readonly range: ScoreRange },
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const limits = { minScore: String(range.low), maxScore: String(range.high) };
  const read = (line: string): number | undefined => readScore(line, range);
  const scores = await allOrNone(signal, (either) =>
    requests.map(({ prompt, response }) =>
      ask(fillTemplate(template, { prompt: promptText(prompt), response, ...limits }), read, either),
    ),
  );
  return Float32Array.from(scores, (score) => score ?? Number.NaN);
}
