import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './metaapo.js';

/** A directory of golden values: the project's own, and another of the same form where METAAPO_SHARED names one. */
export interface GoldenSet {
  readonly name: string;
  readonly losses: string;
  readonly models: string;
  readonly training: string;
  /** The model that the trainings start from. */
  readonly start: string;
}

const fixtures = join(root, 'fixtures');
const shared = join(process.env.METAAPO_SHARED ?? join(root, '..', 'shared'), 'goldens');

/** Every set that is there. */
export function goldenSets(): readonly GoldenSet[] {
  const own = {
    losses: join(fixtures, 'losses', 'losses.json'),
    models: join(fixtures, 'models'),
    training: join(fixtures, 'training'),
  };
  const sets: GoldenSet[] = [{ name: 'fixtures', ...own, start: join(own.models, 'qwen2') }];
  if (existsSync(shared)) {
    const training = join(shared, 'training');
    sets.push({
      name: 'shared',
      losses: join(shared, 'losses.json'),
      models: join(shared, 'models'),
      training,
      start: join(training, 'model'),
    });
  } else {
    console.log('skipped: a second set of golden values, METAAPO_SHARED names no directory with goldens');
  }
  return sets;
}
