import { type SampledResponse, type TokenizedPreference, tokensOf } from '../../contracts/index.js';
import type { ByStage } from '../../journal/index.js';
import { groupOf } from '../../trainer/index.js';

/** What an iteration worked on. */
export interface IterationTokens {
  readonly rows: readonly TokenizedPreference[];
  /** New responses by data set number. */
  readonly responses: ReadonlyMap<number, readonly SampledResponse[]>;
  readonly isReferred: boolean;
  readonly isScored: boolean;
  /** Tokens that were trained, prompts once a response. */
  readonly trained: number;
}

/**
 * Tokens by stage: of the offline pairs where the reference and the policy computed them, of the new responses where
 * they were sampled, of these with their prompts where they were annotated, and what was trained.
 */
export function stageTokens({ rows, responses, isReferred, isScored, trained }: IterationTokens): ByStage {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const offline = sum(rows.map((row) => tokensOf(groupOf(row))));
  const sampled = sum([...responses.values()].flat().map(({ tokens }) => tokens.length));
  const prompts = sum(rows.map(({ row, prompt }) => (responses.get(row)?.length ?? 0) * prompt.length));
  return {
    ...(isReferred && { reference: offline }),
    ...(isScored && { score: offline }),
    sample: sampled,
    reward: sampled + prompts,
    train: trained,
  };
}
