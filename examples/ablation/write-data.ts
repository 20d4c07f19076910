import { uniformOf } from '@metaapo/core/numerics';
import { writeAtomically } from '@metaapo/core/storage';
import { digitsOf, rewardOf } from '../quickstart/reward.mjs';
import { answerTo, carelessAnswer } from '../quickstart/sorting-task.js';
import { generate } from './generate.js';
import { type Kind, kindPrompts } from './kinds.js';

/** Prompts beyond the pairs that are wanted: a wrong answer may come out right. */
const SPARE = 200;

const message = (role: string, content: string) => [{ role, content }];
const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** An offline pair and whether its labels are the wrong way round. */
interface OfflinePair {
  readonly kind: Kind;
  readonly prompt: string;
  readonly better: string;
  readonly worse: string;
}

/**
 * Writes preference pairs of all kinds as JSON lines, with a key `kind`: a right answer and a worse one. The worse answer
 * is careless, or the policy's own where the task is out of its reach.
 */
export async function writePairs(
  file: string,
  count: number,
  seed: number,
  policy: string,
  isWrong: boolean,
): Promise<void> {
  const prompts = kindPrompts(count + SPARE, seed);
  const hard = prompts.filter(({ kind }) => kind === 'out of reach').map(({ prompt }) => prompt);
  const sampled = await generate(policy, hard, `${file}.policy`, { seed });
  const ofPolicy = new Map(hard.map((prompt, index) => [prompt, sampled[index]![0]!]));
  const pairs = prompts.flatMap(({ kind, prompt }, row): OfflinePair[] => {
    const worse = ofPolicy.get(prompt) ?? worseAnswer(kind, prompt, 10 * row + seed);
    return worse.trim() === '' || rewardOf(prompt, worse) >= 1
      ? []
      : [{ kind, prompt, better: answerTo(prompt), worse }];
  });
  if (pairs.length < count) throw new Error(`${pairs.length} of ${count} pairs: the other answers are right or empty`);
  const rows = pairs.slice(0, count).map(({ kind, prompt, better, worse }) => {
    const [chosen, rejected] = isWrong && kind === 'wrong labels' ? [worse, better] : [better, worse];
    return {
      prompt: message('user', prompt),
      chosen: message('assistant', chosen),
      rejected: message('assistant', rejected),
      kind,
    };
  });
  await writeAtomically(file, lines(rows));
}

/** What the right answer is compared with: the digits as they were given, or a careless answer. */
function worseAnswer(kind: Kind, prompt: string, seed: number): string {
  return kind === 'saturated' ? digitsOf(prompt).join(' ') : carelessAnswer(prompt, 2, seed);
}

/** Writes demonstrations for the reference: right answers to short prompts, careless ones to longer ones. */
export async function writeDemonstrations(file: string, count: number, seed: number): Promise<void> {
  const rows = kindPrompts(2 * count, seed).flatMap(({ kind, prompt }, row) => {
    if (kind === 'out of reach') return [];
    const mistakes = kind === 'saturated' || uniformOf(['mistakes', seed, row]) < 0.5 ? 0 : 1;
    return [{ messages: [...message('user', prompt), ...message('assistant', carelessAnswer(prompt, mistakes, row))] }];
  });
  await writeAtomically(file, lines(rows.slice(0, count)));
}
