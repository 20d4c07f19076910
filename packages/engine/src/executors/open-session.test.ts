import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { native } from '../../test/native-test.js';
import { program } from '../../test/run-program.js';
import { operations as ops } from '../program/index.js';
import { chooseExecutor, openSession } from './open-session.js';

describe('the choice of an executor', () => {
  native('takes the compiled one where the backend has sessions', async () => {
    expect(chooseExecutor().executor).toBe('compiled');
    expect(chooseExecutor('eager').executor).toBe('eager');
    // XLA is chosen on GPUs only, and can be asked for where it works.
    expect(chooseExecutor('xla')).toEqual({ executor: 'xla', reason: 'asked for' });
  });

  it('takes the eager one elsewhere, and says what it cannot do', async () => {
    await tf.setBackend('cpu');
    expect(chooseExecutor().executor).toBe('eager');
    for (const wished of ['compiled', 'xla'] as const) {
      expect(() => chooseExecutor(wished)).toThrow(`The executor \`${wished}\` does not run on this backend`);
    }
    const narrow = program((graph) => {
      const x = ops.cast(ops.input(graph, 'x', [1, 1]), 'bfloat16');
      return { y: ops.matmul(x, x) };
    });
    expect(() => openSession({ narrow })).toThrow('bfloat16 needs the executor `compiled` or `xla`');
  });
});
