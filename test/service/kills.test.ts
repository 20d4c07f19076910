import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { PromptGroup } from '@metaapo/core/contracts';
import { uniformOf } from '@metaapo/core/numerics';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/metaapo.js';
import { type DpoStep, dpoStep, pairGroups, sumLogprobs } from './dpo-training.js';
import { type ServedModel, serveRandomModel, USE } from './service-model.js';
import { servicePython } from './training-server.js';

const directory = temporaryDirectory();
const KILLS = 8;
const STEPS = 2 * KILLS;

describe.skipIf(servicePython === undefined)('a training whose server is killed again and again', () => {
  let served: ServedModel;
  let groups: readonly PromptGroup[];
  beforeAll(async () => {
    served = await serveRandomModel(directory);
    groups = await pairGroups(join(directory, 'pairs.jsonl'), (await served.local().describe()).tokenizer!);
    return () => served.server.kill();
  });

  /** Trains by DPO on the server; `during` happens beside each step, and has ended when the next one begins. */
  async function train(during: (step: number) => Promise<void>) {
    const source = served.remote({ saveEvery: 3 });
    const { model } = await source.openPolicy(USE);
    const start = await sumLogprobs(model, groups);
    const steps: DpoStep[] = [];
    const seconds: number[] = [];
    for (let step = 1; step <= STEPS; step++) {
      const begun = performance.now();
      const disturbance = during(step);
      steps.push(await dpoStep(model, groups, start, step));
      await disturbance;
      seconds.push((performance.now() - begun) / 1000);
    }
    const end = await sumLogprobs(model, groups);
    model.dispose();
    await source.dispose?.();
    return { steps, end, seconds };
  }

  it('ends with the very log-probabilities of one that was left alone', { timeout: 2_400_000 }, async () => {
    const alone = await train(async () => undefined);
    const usual = alone.seconds.toSorted((a, b) => a - b)[STEPS / 2]!;
    let kills = 0;
    const disturbed = await train(async (step) => {
      if (step % 2 === 0) return;
      await wait(1000 * usual * uniformOf(['kill', step]));
      await served.server.kill(step % 4 === 1 ? 'both' : 'engine');
      kills += 1;
      await served.server.start();
    });
    expect(kills).toBe(KILLS);
    expect(disturbed.steps).toEqual(alone.steps);
    expect(disturbed.end).toEqual(alone.end);
    expect(alone.steps.at(-1)!.loss).toBeLessThan(alone.steps[0]!.loss);
  });
});
