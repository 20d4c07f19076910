import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { numbers, PRIMITIVE_CASES, programOf, sizeOf, weightsOf } from '../../test/primitive-cases.js';
import { openEagerSession } from '../executors/eager/session.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(PRIMITIVE_CASES)('the gradient of $name', ({ shapes, write, isPositive }) => {
  it('agrees with central differences', async () => {
    const { program, result } = programOf({ name: 'case', shapes, write });
    const weights = weightsOf(result);
    const session = openEagerSession({ case: program });
    const points = shapes.map((shape, index) => {
      const point = numbers(sizeOf(shape), index + 1);
      return isPositive ? point.map((x) => 1 + 0.5 * x) : point;
    });
    const feed = (changed: readonly Float32Array[]) =>
      Object.fromEntries(changed.map((data, index) => [`x${index}`, { data, shape: shapes[index] as number[] }]));
    const objective = async (changed: readonly Float32Array[]): Promise<number> => {
      const ran = await session.run('case', feed(changed));
      const value = (ran.result!.dataSync() as Float32Array).reduce((sum, x, at) => sum + x * weights[at]!, 0);
      tf.dispose(Object.values(ran));
      return value;
    };
    const analytic = await session.run('case', feed(points));
    const step = 1e-2; // error of the difference quotient: O(step^2) + float32 rounding / step, both about 1e-4
    for (const [index, point] of points.entries()) {
      const gradient = analytic[`gradient${index}`]!.dataSync();
      for (let at = 0; at < point.length; at++) {
        const moved = (by: number) =>
          points.map((p, i) => (i === index ? p.map((x, j) => (j === at ? x + by : x)) : p));
        const slope = ((await objective(moved(step))) - (await objective(moved(-step)))) / (2 * step);
        expect(Math.abs(gradient[at]! - slope)).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)));
      }
    }
    tf.dispose(Object.values(analytic));
  });
});
