import { writeAtomically } from '@metaapo/core/storage';
import { rewardOf } from './reward.mjs';
import { carelessAnswer, promptOf } from './sorting-task.js';

/** Writes preference pairs of the sorting task as JSON lines: two careless answers, the better one chosen. */
export async function writePreferences(file: string, count: number, seed: number): Promise<void> {
  const lines: string[] = [];
  for (let row = 0; lines.length < count; row++) {
    const prompt = promptOf(seed, row);
    const [first, second] = [0, 1].map((side) => {
      const text = carelessAnswer(prompt, side === 0 ? 0 : 2, 10 * row + side + seed);
      return { text, reward: rewardOf(prompt, text) };
    });
    if (first!.reward === second!.reward) continue;
    const [chosen, rejected] = first!.reward > second!.reward ? [first!, second!] : [second!, first!];
    lines.push(
      JSON.stringify({
        prompt: messages('user', prompt),
        chosen: messages('assistant', chosen.text),
        rejected: messages('assistant', rejected.text),
      }),
    );
  }
  await writeAtomically(file, `${lines.join('\n')}\n`);
}

const messages = (role: string, content: string): readonly { role: string; content: string }[] => [{ role, content }];
