import { MetaapoError } from '@metaapo/core/contracts';
import { z } from 'zod';

/** What the error of a reply says. */
export interface ReplyContext {
  readonly where: string;
  /** What came, for messages. */
  readonly shown: (value: unknown) => string;
}

/**
 * The rewards in a reply, under `rewards` or `scores`; NaN for null.
 * @param count number of responses that were sent
 * @throws MetaapoError with code `network` for another number of rewards, or one that is no number
 */
export function readRewards(reply: unknown, count: number, { where, shown }: ReplyContext): readonly number[] {
  const { rewards, scores } = replySchema.safeParse(reply).data ?? {};
  const values = rewards ?? scores;
  const refuse = (got: string): never => {
    throw new MetaapoError('network', 'the reply does not hold a reward for each response', {
      where,
      expected: `{"rewards": [...]} or {"scores": [...]} with ${count} numbers`,
      got,
      remedy: 'Correct the server, or the address',
    });
  };
  if (!Array.isArray(values)) return refuse(shown(reply));
  if (values.length !== count) return refuse(`${values.length} of them: ${shown(values)}`);
  const wrong = values.findIndex((value) => value !== null && !isFloat32(value));
  if (wrong >= 0) return refuse(`${shown(values[wrong])} at place ${wrong}`);
  return values.map((value: number | null) => value ?? Number.NaN);
}

const replySchema = z.object({ rewards: z.unknown().optional(), scores: z.unknown().optional() });

function isFloat32(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(Math.fround(value));
}
