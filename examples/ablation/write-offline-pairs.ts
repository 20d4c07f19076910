import { readFile, writeFile } from 'node:fs/promises';
import { rewardOf } from '../quickstart/reward.mjs';
import { promptOf } from '../quickstart/sorting-task.js';
import { runMetaapo } from './run-metaapo.js';

/** Prompts asked for each pair that is wanted: two answers with the same reward make none. */
const PROMPTS_A_PAIR = 4;

const message = (role: string, content: string) => [{ role, content }];

/**
 * Writes preference pairs as people collect them: two answers of another policy (here the reference at temperature 1.2)
 * to each prompt of the sorting task, of which the one with the higher reward is chosen.
 */
export async function writeOfflinePairs(file: string, count: number, seed: number): Promise<void> {
  const prompts = Array.from({ length: PROMPTS_A_PAIR * count }, (_, row) => promptOf(seed, row));
  const [asked, answered] = [`${file}.prompts.jsonl`, `${file}.answers.jsonl`];
  await writeFile(asked, prompts.map((prompt) => `${JSON.stringify({ prompt: message('user', prompt) })}\n`).join(''));
  const draw = ['--n', '2', '--temperature', '1.2', '--max-new-tokens', '16', '--seed', String(seed)];
  runMetaapo(['generate', '--model', 'fixtures/quickstart/model', '--data', asked, '--output', answered, ...draw]);
  const answers = new Map<number, string[]>();
  for (const line of (await readFile(answered, 'utf8')).trim().split('\n')) {
    const { row, response } = JSON.parse(line) as { row: number; response: string };
    answers.set(row, [...(answers.get(row) ?? []), response]);
  }
  const pairs = prompts.flatMap((prompt, row) => {
    const [first, second] = answers.get(row)!.map((text) => ({ text, reward: rewardOf(prompt, text) }));
    if (first!.reward === second!.reward || first!.text.trim() === '' || second!.text.trim() === '') return [];
    const [chosen, rejected] = first!.reward > second!.reward ? [first!, second!] : [second!, first!];
    return [
      {
        prompt: message('user', prompt),
        chosen: message('assistant', chosen.text),
        rejected: message('assistant', rejected.text),
      },
    ];
  });
  if (pairs.length < count) throw new Error(`${pairs.length} of ${count} pairs: the others have equal rewards`);
  await writeFile(
    file,
    pairs
      .slice(0, count)
      .map((pair) => `${JSON.stringify(pair)}\n`)
      .join(''),
  );
}
