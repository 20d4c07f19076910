// What a run left in its directory.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The whole lines of a run's journal. */
export function entriesOf(output) {
  const file = join(output, 'journal.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** Rewards that a journal holds: of responses, and of held-out prompts. */
export const rewardsIn = (entries) =>
  entries.reduce((sum, { kind, rewards }) => sum + (kind === 'rewards' ? rewards.length : 0), 0);

/** Hashes of a finished run's weights, and its journalled responses and rewards. */
export function outcomeOf(output) {
  const hash = (file) =>
    createHash('sha256')
      .update(readFileSync(join(output, file)))
      .digest('hex')
      .slice(0, 12);
  const entries = entriesOf(output);
  const keysOf = (kind) =>
    entries.filter((entry) => entry.kind === kind).map(({ iteration, row, key }) => key ?? `${iteration}/${row}`);
  const [responses, rewards] = [keysOf('responses'), keysOf('rewards')];
  return {
    weights: hash('model/model.safetensors'),
    metaLearner: hash('meta-learner.safetensors'),
    responses: responses.length,
    rewards: rewardsIn(entries),
    repeated: responses.length + rewards.length - new Set(responses).size - new Set(rewards).size,
  };
}

/** The stage whose line was the last one. */
export const stageOf = (errors) =>
  [...errors.matchAll(/^(reference|score|sample|reward|kl|pair|train|evaluate)\b/gm)].at(-1)?.[1] ?? 'start';
