import { afterEach, expect, it, vi } from 'vitest';
import { terminal } from './terminal-tracker.js';

afterEach(() => vi.restoreAllMocks());

/** Lines of the last of some steps, each of 2 rows, 1000 tokens and 0.5 seconds. */
function lastLineOf(steps: readonly number[], total: number): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const observer = terminal();
  for (const step of steps) {
    const metrics = { num_tokens: 1000 * step, 'time/step_s': 0.5, loss: 0.5 };
    observer.step!({ step, metrics, rows: [0, 1] }, total);
  }
  return String(write.mock.calls.at(-1)![0]);
}

it('shows tokens a second, loss and rows from the first step on', () => {
  expect(lastLineOf([1], 1)).toMatch(/^train 1\/1 .*2000 tokens\/s {2}loss 0\.5000 {2}2 rows\n$/);
  expect(lastLineOf([1, 2, 3], 3)).toMatch(/2000 tokens\/s.*6 rows/);
});

it('counts the tokens of this process alone after a resume', () => {
  expect(lastLineOf([91], 91)).not.toContain('tokens/s');
  expect(lastLineOf([91, 92, 93], 93)).toContain('2000 tokens/s');
});
