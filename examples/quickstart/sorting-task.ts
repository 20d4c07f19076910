import { seedOf, shuffledIndices, uniformOf } from '@metaapo/core/numerics';
import { digitsOf } from './reward.mjs';

/** A prompt of the task: digits to be written in ascending order. */
export function promptOf(seed: number, row: number): string {
  const count = 4 + Math.floor(uniformOf(['count', seed, row]) * 3);
  const digits = [...shuffledIndices(10, seedOf(['digits', seed, row]))].slice(0, count);
  return `sort ${digits.join(' ')}`;
}

/** The right answer to a prompt. */
export function answerTo(prompt: string): string {
  return digitsOf(prompt).sort().join(' ');
}

/**
 * An answer with mistakes: each of `mistakes` tries swaps two neighbours, repeats a digit or leaves one out. What a
 * careless writer would give.
 */
export function carelessAnswer(prompt: string, mistakes: number, seed: number): string {
  const digits = digitsOf(answerTo(prompt));
  for (let mistake = 0; mistake < mistakes; mistake++) {
    const draw = (purpose: string): number => uniformOf([purpose, seed, mistake]);
    const at = Math.floor(draw('at') * (digits.length - 1));
    const kind = Math.floor(draw('kind') * 3);
    if (kind === 0) digits.splice(at, 2, digits[at + 1]!, digits[at]!);
    else if (kind === 1) digits.splice(at, 1, digits[at + 1]!);
    else if (digits.length > 2) digits.splice(at, 1);
  }
  return digits.join(' ');
}
