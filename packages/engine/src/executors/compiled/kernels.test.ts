import { createRequire } from 'node:module';
import { afterEach, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import {
  ATTENTION_CASES,
  type AttentionCase,
  attentionInFloat64,
  attentionInputs,
  writeAttention,
} from '../../../test/attention-cases.js';
import {
  CACHED_ATTENTION_CASES,
  cachedAttentionInFloat64,
  cachedAttentionInputs,
  writeCachedAttention,
} from '../../../test/cached-attention-cases.js';
import { distance, kernelResults, type Results, type Tensors, tensor } from '../../../test/kernel-results.js';
import { missingBackend } from '../../../test/missing-backend.js';
import { fusedKernels } from '../../backends/fused-kernels.js';
import { defaultSearchPath, findNativePackage, kernelsFile } from '../../backends/native-package.js';
import { kernels, operations as ops, type Value } from '../../program/index.js';
import { openCompiledSession } from './session.js';

interface TestedModule {
  readonly levels: readonly string[];
  use(level: string, threads: number): void;
}

let missing: string | undefined;
let module: TestedModule | undefined;

beforeAll(async () => {
  missing = await missingBackend('tensorflow');
  if (missing === undefined && fusedKernels() === undefined) missing = 'the fused kernels are not compiled';
  if (missing !== undefined) return;
  const { directory } = findNativePackage('tensorflow', defaultSearchPath())!;
  module = createRequire(import.meta.url)(kernelsFile(directory)) as TestedModule;
});

const ALL_THREADS = 256;
afterEach(() => module?.use(module.levels.at(-1)!, ALL_THREADS));

/** Runs the test on every level of instructions that the processor has. */
function onEveryLevel(name: string, run: (level: string) => Promise<void>): void {
  it(name, async (context: TestContext) => {
    if (missing !== undefined) return context.skip(missing);
    for (const level of module!.levels) {
      module!.use(level, ALL_THREADS);
      await run(level);
    }
  }, 60_000);
}

const compute = (inputs: Tensors, write: Parameters<typeof kernelResults>[2]): Promise<Results> =>
  kernelResults(openCompiledSession, inputs, write);

/** Central differences of sum(weights * f(x)) in float64. */
function slopes(x: Float32Array, weights: ArrayLike<number>, f: (x: Float64Array) => Float64Array): Float64Array {
  const step = 1e-5;
  const weighted = (at: Float64Array): number => f(at).reduce((sum, y, i) => sum + y * weights[i]!, 0);
  return Float64Array.from(x, (_, i) => {
    const [up, down] = [Float64Array.from(x), Float64Array.from(x)];
    up[i]! += step;
    down[i]! -= step;
    return (weighted(up) - weighted(down)) / (2 * step);
  });
}

const PRECISIONS = [
  { dtype: 'float32', bound: 2e-6 },
  { dtype: 'bfloat16', bound: 1.5e-2 },
] as const;

describe.each(PRECISIONS)('fused kernels in $dtype, beside float64', ({ dtype, bound }) => {
  onEveryLevel('normalise rows, and give the gradients of rows and weight', async (level) => {
    const [rows, width, epsilon] = [35, 21, 1e-5];
    const [x, w, g] = [tensor([rows, width], 1, 2), tensor([width], 2), tensor([rows, width], 3)];
    const f = (xs: ArrayLike<number>, ws: ArrayLike<number>): Float64Array =>
      Float64Array.from(xs, (value, i) => {
        const row = Math.floor(i / width) * width;
        let squares = 0;
        for (let j = row; j < row + width; j++) squares += xs[j]! ** 2;
        return (ws[i % width]! * value) / Math.sqrt(squares / width + epsilon);
      });
    const got = await compute({ x, w, g }, (of) => {
      const [dx, dw] = kernels.rmsNormGradient(ops.cast(of.g!, dtype), ops.cast(of.x!, dtype), of.w!, epsilon);
      return { y: kernels.rmsNorm(ops.cast(of.x!, dtype), of.w!, epsilon, dtype), dx: dx!, dw: dw! };
    });
    expect(distance(got.y!, f(x.data, w.data)), `${level} y`).toBeLessThan(bound);
    expect(
      distance(
        got.dx!,
        slopes(x.data, g.data, (xs) => f(xs, w.data)),
      ),
      `${level} dx`,
    ).toBeLessThan(2e-6);
    expect(
      distance(
        got.dw!,
        slopes(w.data, g.data, (ws) => f(x.data, ws)),
      ),
      `${level} dw`,
    ).toBeLessThan(2e-6);
  });

  onEveryLevel('gate by silu, also far from zero, and give both gradients', async (level) => {
    const shape = [7, 19];
    const [gate, up, g] = [tensor(shape, 1, 3), tensor(shape, 2), tensor(shape, 3)];
    gate.data.set([0, -100, 100, -20, 1000, -1000]);
    const f = (a: ArrayLike<number>, b: ArrayLike<number>): Float64Array =>
      Float64Array.from(a, (x, i) => (x / (1 + Math.exp(-x))) * b[i]!);
    const got = await compute({ gate, up, g }, (of) => {
      const [a, b, d] = [of.gate!, of.up!, of.g!].map((value) => ops.cast(value, dtype)) as [Value, Value, Value];
      const [da, db] = kernels.gatedSiluGradient(d, a, b);
      return { y: kernels.gatedSilu(a, b, dtype), da: da!, db: db! };
    });
    expect(distance(got.y!, f(gate.data, up.data)), `${level} y`).toBeLessThan(bound);
    expect(
      distance(
        got.da!,
        slopes(gate.data, g.data, (a) => f(a, up.data)),
      ),
      `${level} da`,
    ).toBeLessThan(bound);
    expect(
      distance(
        got.db!,
        slopes(up.data, g.data, (b) => f(gate.data, b)),
      ),
      `${level} db`,
    ).toBeLessThan(bound);
  });

  onEveryLevel('give losses of logits and their gradients, also of large ones', async (level) => {
    const [rows, width] = [6, 1061];
    const x = tensor([rows, width], 1, 4);
    x.data.set([500, -500], 3 * width);
    const t = { shape: [rows], data: Int32Array.of(0, 1060, 7, 0, 1, 500) };
    const f = (xs: ArrayLike<number>): Float64Array =>
      Float64Array.from(t.data, (target, row) => {
        const logits = Array.from({ length: width }, (_, i) => xs[row * width + i]!);
        const top = Math.max(...logits);
        return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) + top - logits[target]!;
      });
    const expected = f(x.data);
    const residual = Float64Array.from(x.data, (logit, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      const target = t.data[row]!;
      return Math.exp(logit - x.data[row * width + target]! - expected[row]!) - (column === target ? 1 : 0);
    });
    const got = await compute({ x, t }, (of) => {
      const logits = ops.cast(of.x!, dtype);
      return { losses: kernels.losses(logits, of.t!), residual: kernels.residual(logits, of.t!, dtype) };
    });
    expect(distance(got.losses!, expected), `${level} losses`).toBeLessThan(1e-6);
    expect(distance(got.residual!, residual), `${level} residual`).toBeLessThan(bound);
  });

  onEveryLevel('rotate the first numbers of heads, scale all, and turn gradients back', async (level) => {
    const [tokens, heads, dim, half, scale] = [37, 3, 22, 9, 0.25];
    const x = tensor([tokens * heads, dim], 1);
    const [cosines, sines] = [tensor([tokens, half], 2), tensor([tokens, half], 3)];
    const turned = (xs: ArrayLike<number>, sign: number): Float64Array =>
      Float64Array.from(xs, (value, i) => {
        const [row, column] = [Math.floor(i / dim), i % dim];
        if (column >= 2 * half) return value * scale;
        const at = Math.floor(row / heads) * half + (column % half);
        const other = column < half ? -xs[i + half]! : xs[i - half]!;
        return (value * cosines.data[at]! + sign * other * sines.data[at]!) * scale;
      });
    const got = await compute({ x, cosines, sines }, (of) => {
      const rotation = { cosines: of.cosines!, sines: of.sines!, heads, scale };
      const value = ops.cast(of.x!, dtype);
      return { y: kernels.rotate(value, rotation, dtype), back: kernels.rotate(value, rotation, dtype, true) };
    });
    expect(distance(got.y!, turned(x.data, 1)), `${level} y`).toBeLessThan(bound);
    expect(distance(got.back!, turned(x.data, -1)), `${level} back`).toBeLessThan(bound);
  });

  onEveryLevel('attend within segments and to their contexts, and give all gradients', async (level) => {
    for (const item of ATTENTION_CASES) {
      const expected = attentionInFloat64(item);
      const got = await attend(item, dtype);
      for (const [name, values] of Object.entries(expected)) {
        expect(distance(got[name]!, values), `${level} ${item.name} ${name}`).toBeLessThan(4 * bound);
      }
    }
  });

  onEveryLevel('attend to a cache of either type', async (level) => {
    for (const cache of ['float32', 'bfloat16'] as const) {
      for (const item of CACHED_ATTENTION_CASES) {
        const got = await compute(cachedAttentionInputs(item), (of) =>
          writeCachedAttention(of, item, { query: dtype, cache }),
        );
        expect(distance(got.output!, cachedAttentionInFloat64(item)), `${level} ${item.name} ${cache}`).toBeLessThan(
          bound,
        );
      }
    }
  });

  onEveryLevel('give the same bits by one thread and by many, run after run', async () => {
    const level = module!.levels.at(-1)!;
    const first = await attend(ATTENTION_CASES[0]!, dtype);
    expect(await attend(ATTENTION_CASES[0]!, dtype)).toEqual(first);
    module!.use(level, ALL_THREADS);
    const widest = await attend(ATTENTION_CASES[0]!, dtype);
    module!.use(level, 1);
    expect(await attend(ATTENTION_CASES[0]!, dtype)).toEqual(widest);
  });
});

onEveryLevel(
  'draws columns where the cumulative softmax reaches a share, and gives their log-probabilities',
  async (level) => {
    const [rows, width] = [9, 1061];
    const logits = tensor([rows, width], 1, 4);
    // Rows whose shares are in the first column, at the end of all, and among columns that are all but left out.
    logits.data.fill(-200, 6 * width);
    for (const column of [2, 130, 1060]) for (const row of [6, 7, 8]) logits.data[row * width + column] = 1;
    const shares = { shape: [rows], data: Float32Array.of(0, 0.1, 0.25, 0.5, 0.9, 0.999, 0.3, 0.67, 1) };
    const softmax = Array.from(shares.data, (_, row) => {
      const exponentials = Array.from(logits.data.subarray(row * width, (row + 1) * width), Math.exp);
      const total = exponentials.reduce((sum, x) => sum + x, 0);
      return exponentials.map((x) => x / total);
    });
    const columns = softmax.map((row, at) => {
      let before = 0;
      const found = row.findIndex((x) => {
        before += x;
        return before > shares.data[at]!;
      });
      return found < 0 ? width - 1 : found;
    });
    const got = await compute({ logits, shares }, (of) => {
      const [drawn, logprobs] = kernels.draw(of.logits!, of.shares!);
      return { drawn, logprobs };
    });
    expect([...got.drawn!], level).toEqual(columns);
    const expected = columns.map((column, row) => Math.log(softmax[row]![column]!));
    expect(distance(got.logprobs!, expected), level).toBeLessThan(1e-6);
  },
);

onEveryLevel('gives no finite log-probability where logits are no numbers', async (level) => {
  const logits = { shape: [3, 4], data: Float32Array.of(0, NaN, 1, 2, Infinity, 0, 0, 0, ...Array(4).fill(-Infinity)) };
  const shares = { shape: [3], data: Float32Array.of(0.5, 0.5, 0.5) };
  const got = await compute({ logits, shares }, (of) => ({ y: kernels.draw(of.logits!, of.shares!)[1] }));
  expect(got.y!.some(Number.isFinite), level).toBe(false);
});

function attend(item: AttentionCase, dtype: kernels.FloatType): Promise<Results> {
  return compute(attentionInputs(item), (of) => writeAttention(of, item, dtype));
}
