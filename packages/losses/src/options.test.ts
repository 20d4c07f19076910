import { expect, it } from 'vitest';
import plugin, { catalogue, cpo, dpo, rpo, simpo, wpo } from './index.js';

it('takes an option that is undefined for absent', () => {
  expect(dpo({ beta: undefined, fDivergence: undefined } as object).options).toEqual(dpo().options);
  expect(dpo({ beta: undefined } as object).warnings).toEqual([]);
});

it('warns of what its schema calls unusual, and refuses what it does not accept', () => {
  expect(dpo({ beta: 0.9 }).warnings).toEqual([
    'loss dpo: beta 0.9 is outside the usual 0.01 to 0.5. Larger holds the policy closer to the reference; smaller lets it move further.',
  ]);
  expect(dpo({ fDivergence: { kind: 'alpha', alpha: 0.05 } }).warnings).toEqual([
    'loss dpo: alpha 0.05 is outside the usual 0.1 to 1: it is hardly another than the reverse KL.',
  ]);
  expect(() => dpo({ beta: 0 })).toThrow('loss dpo beta: it is not accepted. Expected a number from 0.000001 to 1000');
  expect(() => dpo({ referenceFree: true, fDivergence: { kind: 'js' } })).toThrow('referenceFree must be false');
});

it('warns of a SimPO margin that does not fit beta, though each alone is usual', () => {
  expect(simpo({ beta: 2.5, gamma: 0.6 }).warnings).toEqual([]);
  expect(simpo({ beta: 2, gamma: 3 }).warnings).toEqual([
    'loss simpo: gamma 3 is 1.5 times beta, outside the usual 0.1 to 0.8: it asks for a margin that degrades the text.',
  ]);
  expect(simpo({ beta: 10, gamma: 0.5 }).warnings[0]).toContain('hardly asks for a margin');
});

it('asks for numbers of tokens where the likelihood a token counts', async () => {
  const tf = await import('@tensorflow/tfjs');
  await tf.setBackend('cpu');
  const one = () => tf.tensor1d([-1]);
  const logprobs = { policyChosen: one(), policyRejected: one(), referenceChosen: one(), referenceRejected: one() };
  for (const loss of [cpo(), rpo(), wpo()]) {
    expect(() => loss.compute(logprobs)).toThrow(/numbers of response tokens are missing.*as the trainer does/s);
  }
  for (const loss of [cpo({ nllWeight: 0 }), rpo({ nllWeight: 0 })])
    expect(loss.compute(logprobs).perPair.size).toBe(1);
});

it('says of every loss in one sentence of its own what it does', () => {
  const summaries = plugin.parts.map(({ summary }) => summary);
  expect(new Set(summaries).size).toBe(summaries.length);
  for (const summary of summaries) expect(summary).toMatch(/^[A-Z][^.]+\.$/);
  const titles = catalogue.flatMap(({ publications }) => publications.map(({ title }) => title));
  expect(summaries.filter((summary) => titles.includes(summary))).toEqual([]);
});
