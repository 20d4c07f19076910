import { expect, it } from 'vitest';
import { type Checkpoint, requireOneLabel } from './open-checkpoint.js';

const weights = (shape: readonly number[] | undefined): Checkpoint => ({
  where: 'model.safetensors',
  shapes: new Map(shape === undefined ? [] : [['score.weight', shape]]),
  read: () => expect.unreachable(),
  close: async () => undefined,
});

it('is all that a reward model may have', () => {
  for (const shape of [[1, 32], undefined]) requireOneLabel(weights(shape));
  expect(() => requireOneLabel(weights([2, 32]))).toThrow(/score\.weight: the model has several labels.*got 2 labels/);
});
