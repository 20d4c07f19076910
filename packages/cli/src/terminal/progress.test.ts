import { expect, it } from 'vitest';
import { createProgress, durationText } from './progress.js';

/** A terminal that keeps what is drawn. */
function terminal(columns: number | undefined) {
  const lines: string[] = [];
  const write = (text: string): boolean => lines.push(text.replace('\r\x1b[2K', '')) > 0;
  return { lines, stream: { isTTY: columns !== undefined, columns: columns!, write } as NodeJS.WriteStream };
}

it('keeps the time that is left, rate and loss within 80 columns', () => {
  const { lines, stream } = terminal(80);
  const progress = createProgress('train', { stream, startedAt: performance.now() - 60_000 });
  const details = ['12345 tokens/s', 'loss 0.6123', 'rows 12800', 'accuracy 0.71', 'margin 0.123'];
  progress.update(100, 1875, details);
  expect(lines[0]).toHaveLength(79);
  expect(lines[0]).toMatch(/^\[=\s+\] train 100\/1875 {2}ETA 17 min \d+ s {2}12345 tokens\/s {2}loss 0\.6123/);
});

it('takes the pace of this process alone after a resume', () => {
  const { lines, stream } = terminal(undefined);
  const progress = createProgress('train', { stream, from: 90, startedAt: performance.now() - 10_000 });
  progress.update(91, 101);
  expect(lines[0]).toMatch(/^train 91\/101 {2}ETA 1 min 4[01] s\n$/);
});

it('shows a duration as people say it', () => {
  expect([0.2, 59.2, 75, 3599.5, 7265].map(durationText)).toEqual([
    '1 s',
    '1 min 0 s',
    '1 min 15 s',
    '1 h 0 min',
    '2 h 1 min',
  ]);
});
