import { describe, expect, it } from 'vitest';
import { readScore, readScoreBy, readWinner } from './read-verdict.js';

const range = { low: 1, high: 10 };

describe('a score', () => {
  it.each<[answer: string, score: number]>([
    ['Fine.\nScore: 7', 7],
    ['Score: 7.25', 7.25],
    ['Score:10', 10],
    ['**Score: 8**', 8],
    ['**Score:** 8', 8],
    ['__Score__: 8', 8],
    ['_Score: 8_', 8],
    ['Score: 8/10', 8],
    ['Score: **8**/10', 8],
    ['Score: 8 / 10.', 8],
    ['Score: 8 out of 10', 8],
    ['Score: 8 (of 10)', 8],
    ['Score: 8.', 8],
    ['Score: 8.5.', 8.5],
    ['score: 8', 8],
    ['SCORE = 8', 8],
    ['Score: [[8]]', 8],
    ['Rating: [[8]]', 8],
    ['Score: <8>', 8],
    ['<score>8</score>', 8],
    ['### Assessment\nFine.\n\n### Score: 8', 8],
    ['- Score: 8', 8],
    ['> Score: 8', 8],
    ['It is fine. Score: 8', 8],
    ['Final score: 8', 8],
    ['My Score: 8', 8],
    ['Score (1-10): 8', 8],
    ['Score: 8\n\nLet me know if you want more detail!', 8],
    ['Score: 8\n\nA higher score: it would have needed sources.', 8],
    ['Score: 8 - well done', 8],
    ['Fine.\n```\nScore: 8\n```', 8],
    ['{"reason": "fine", "score": 8}', 8],
    ['```json\n{\n  "score": "8",\n  "reason": "fine"\n}\n```', 8],
    ['<think>\nHm. Score: 2?\n</think>\n\nScore: 8', 8],
    ['Hm. Score: 2?\n</think>\n\nScore: 8', 8],
    ['Score: 8<|im_end|>', 8],
    ['Score: 8<|eot_id|>\n', 8],
    ['Score: 8</s>', 8],
    ['Score: $\\boxed{8}$', 8],
    ['Score: 2\nNo, better:\n  Score: 9 \n\n', 9],
    ['Clarity score: 3\nScore: 8\nConfidence score: 9', 8],
    ['8', 8],
    [' **8/10**\n', 8],
    ['The score is 8.', 8],
    ['I think the score would be **8**/10, for its brevity.', 8],
    ['## Score\n\n**8**', 8],
    ['Score:\n8', 8],
    ['Well argued, if long.\n[[8]]', 8],
  ])('is read of %j', (answer, score) => {
    expect(readScore(answer, range)).toBe(score);
  });

  it.each([
    'I would give seven points.',
    'Score: seven',
    'Score: 11',
    'Score: 0.5',
    'Score: -3',
    'Score: 7-8',
    'Score: 7 to 8',
    'The score is 7 or 8',
    'The score is based on 8 facts',
    '# Score\nEight facts, 8',
    'It cites [[8 facts]]',
    'Score: 7–8',
    'Score: 80%',
    'Score: 8/5',
    'Score: 80/100',
    'Score: 1e1',
    'Score: 7,5',
    'Score: ',
    'Score: 8\nScore: none',
    'There are 8 reasons.',
    '8 reasons:\nnone',
    '<think>Score: 8',
    '<think>a</think><think>Score: 8',
    '',
  ])('is none of %j', (answer) => {
    expect(readScore(answer, range)).toBeUndefined();
  });

  it('is of its range, on whose scale it is told', () => {
    expect(readScore('Score: -3', { low: -5, high: 5 })).toBe(-3);
    expect(readScore('Score: 4/5', { low: 0, high: 5 })).toBe(4);
    expect(readScore('Score: 4/10', { low: 0, high: 5 })).toBeUndefined();
  });

  it('is read in no time of an answer of any length', () => {
    const begun = performance.now();
    for (const piece of ['Score: ', '(', '-', '_', ' ', '<think>', '[[', 'score ('])
      readScore(piece.repeat(2_000_000), range);
    expect(performance.now() - begun).toBeLessThan(4000);
  });
});

describe('a winner', () => {
  it.each<[answer: string, share: number]>([
    ['Compared.\nWinner: A', 1],
    ['Winner: B', 0],
    ['Winner: tie', 0.5],
    ['**Winner: A**', 1],
    ['**Winner:** Answer B', 0],
    ['winner: a.', 1],
    ['Winner: [[B]]', 0],
    ['Winner: answer_a', 1],
    ['Winner: Tie!', 0.5],
    ['{"winner": "B"}', 0],
    ['[[A]]', 1],
    ['<think>Winner: A</think>\nWinner: B<|im_end|>', 0],
    ['Winner: A\nWinner: B', 0],
    ['Final verdict: [[A]]', 1],
    ['Winner: A, because it is short', 1],
    ['A is better by far.\n[[A]]', 1],
    ['My final verdict is: [[B]]', 0],
    ['Winner: a tie', 0.5],
    ['Winner: A draw, by a hair', 0.5],
    ['Winner: A is shorter and right', 1],
    ['The winner is A.', 1],
    ['The winner is a tie', 0.5],
    ['(B)', 0],
  ])('is read of %j', (answer, share) => {
    expect(readWinner(answer)).toBe(share);
  });

  it.each([
    'Winner: C',
    'Winner: toString',
    'Winner: a slight edge to B',
    'Winner: A close call',
    'Winner: A > B',
    'Winner: A < B',
    'Winner: B < A',
    'Winner: A = B',
    'Winner: answer A or answer B',
    'Winner: A or B',
    'Winner: A/B',
    'Winner: A and B',
    'A winner is hard to name',
    'The winner is a matter of taste',
    '[[A>>B]]',
    'A is good',
    '',
  ])('is none of %j', (answer) => {
    expect(readWinner(answer)).toBeUndefined();
  });
});

it('ends a pattern that does not end', { timeout: 60_000 }, () => {
  const answer = `${'1'.repeat(50)}x`;
  expect(() => readScoreBy(/(\d+)+$/gm, answer, { low: 0, high: 1 })).toThrow(/judge, pattern.*takes too long/);
});
