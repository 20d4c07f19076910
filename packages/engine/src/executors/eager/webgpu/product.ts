import * as tf from '@tensorflow/tfjs';
import type { OperationAttributes, Value } from '../../../program/index.js';
import type { Kernel } from '../kernels.js';
import { BFLOAT16, isPacked } from './bfloat16.js';
import { runShader } from './run-shader.js';

/** Columns of the result that a workgroup computes, and terms of their sums that lie in its memory at a time. */
const [COLUMNS, DEPTH] = [64, 16] as const;
/** Threads of a workgroup; each computes four by four numbers of the result. */
const THREADS = 256;
/** Threads that share the terms of four columns, where there are few rows. */
const FEW_THREADS = 64;

/** One factor: how its numbers lie, and whether they are rounded when they are read. */
interface Factor {
  readonly numbers: 'as they are' | 'rounded' | 'packed';
  /** Whether numbers side by side are of one sum. */
  readonly isAlongSums: boolean;
}

const numbersOf = (value: Value): Factor['numbers'] => {
  if (isPacked(value)) return 'packed';
  return value.dtype === 'bfloat16' ? 'rounded' : 'as they are';
};

/** `[..., m, k] x [..., k, n]` with float32 sums; of bfloat16 factors they are rounded to bfloat16 at the end. */
export const product: Kernel = ([a, b], { inputs, attributes }, { outputShapes }) => {
  const { transposeA, transposeB } = attributes as OperationAttributes['matmul'];
  const shape = outputShapes[0]!;
  const [m, n] = shape.slice(-2) as [number, number];
  const batch = tf.util.sizeFromShape(shape.slice(0, -2));
  const left: Factor = { numbers: numbersOf(inputs[0]!), isAlongSums: !transposeA };
  const right: Factor = { numbers: numbersOf(inputs[1]!), isAlongSums: transposeB };
  const terms = a!.shape.at(transposeA ? -2 : -1)!;
  const k = left.numbers === 'packed' && !transposeA ? 2 * terms : terms;
  const isFew = m <= 4 && left.isAlongSums && right.isAlongSums;
  // A token or a few of them would leave most rows of a high tile empty.
  const height = (isFew ? [1, 4] : [4, 16]).find((rows) => m <= rows) ?? 64;
  const [across, down] = [Math.ceil(n / (isFew ? 4 : COLUMNS)), Math.ceil(m / height)];
  const shader = {
    name: `product ${JSON.stringify([left, right, height])}`,
    inputs: ['left', 'right'],
    uniforms: { m, n, k, across, down, groups: batch * across * down },
    workgroupSize: isFew ? FEW_THREADS : THREADS,
    runs: { groups: batch * across * down },
    code: () => (isFew ? writeFewRows : writeTiles)(left, right, height),
  };
  return [runShader(shader, [a!, b!], shape)];
};

const fourTimes = (line: (at: number) => string): string => [0, 1, 2, 3].map(line).join('\n');

/**
 * Reads two numbers side by side of a factor whose sides are the rows, or columns, of the result; zeros beyond the end. The
 * number of an even place and the next one are a word of a packed factor.
 */
function reader(name: string, sides: string, { numbers, isAlongSums }: Factor): string {
  const at = isAlongSums ? `side * uniforms.k + term` : `term * uniforms.${sides} + side`;
  const hasSecond = isAlongSums ? 'term + 1 < uniforms.k' : `side + 1 < uniforms.${sides}`;
  const one = (place: string): string => (numbers === 'rounded' ? `rounded(${name}[${place}])` : `${name}[${place}]`);
  const read =
    numbers === 'packed'
      ? `return unpacked(${name}[at / 2]);`
      : `return vec2<f32>(${one('at')}, select(0.0, ${one('at + 1')}, ${hasSecond}));`;
  return `fn ${name}At(matrix : i32, side : i32, term : i32) -> vec2<f32> {
    if (side >= uniforms.${sides} || term >= uniforms.k) { return vec2<f32>(); }
    let at = matrix * uniforms.k * uniforms.${sides} + ${at};
    ${read}
  }`;
}

/** Brings a factor's part of the sums into the workgroup's memory: `[terms, sides / 4]` vectors of four sides. */
function fill(name: string, width: number, { isAlongSums }: Factor): string {
  const quads = width / 4;
  const read = (side: string): string => `${name}At(matrix, ${name}First + ${side}, first + term)`;
  const body = isAlongSums
    ? `let term = part % ${DEPTH / 2} * 2;
      let quad = part / ${DEPTH / 2};
      ${fourTimes((at) => `let two${at} = ${read(`4 * quad + ${at}`)};`)}
      ${name}_[term * ${quads} + quad] = vec4<f32>(two0.x, two1.x, two2.x, two3.x);
      ${name}_[(term + 1) * ${quads} + quad] = vec4<f32>(two0.y, two1.y, two2.y, two3.y);`
    : `let term = part / ${quads};
      let quad = part % ${quads};
      ${name}_[part] = vec4<f32>(${read('4 * quad')}, ${read('4 * quad + 2')});`;
  const parts = quads * (isAlongSums ? DEPTH / 2 : DEPTH);
  return `for (var part = thread; part < ${parts}; part += ${THREADS}) {
    ${body}
  }`;
}

/** In a low tile, threads share the terms of the same sums, and add up what each has in the order of the threads. */
function writeTiles(left: Factor, right: Factor, height: number): string {
  const [rows, columns] = [height / 4, COLUMNS / 4];
  const together = rows * columns;
  const gather = `for (var giver = 1; giver < ${THREADS / together}; giver++) {
    if (share == giver) { ${fourTimes((at) => `right_[4 * place + ${at}] = sums${at};`)} }
    workgroupBarrier();
    if (share == 0) { ${fourTimes((at) => `sums${at} += right_[4 * place + ${at}];`)} }
    workgroupBarrier();
  }`;
  return `${BFLOAT16}
  var<workgroup> left_ : array<vec4<f32>, ${rows * DEPTH}>;
  var<workgroup> right_ : array<vec4<f32>, ${columns * DEPTH}>;
  ${reader('left', 'm', left)}
  ${reader('right', 'n', right)}
  ${put(left)}
  fn compute(index : i32) {
    let thread = i32(localIndex);
    let share = thread / ${together};
    let place = thread % ${together};
    let row = place / ${columns};
    let column = place % ${columns};
    let matrix = index / (uniforms.across * uniforms.down);
    let leftFirst = index / uniforms.across % uniforms.down * ${height};
    let rightFirst = index % uniforms.across * ${COLUMNS};
    ${fourTimes((at) => `var sums${at} = vec4<f32>();`)}
    for (var first = 0; first < uniforms.k; first += ${DEPTH}) {
      ${fill('left', height, left)}
      ${fill('right', COLUMNS, right)}
      workgroupBarrier();
      for (var term = share; term < ${DEPTH}; term += ${THREADS / together}) {
        let own = left_[term * ${rows} + row];
        let factors = right_[term * ${columns} + column];
        ${fourTimes((at) => `sums${at} += own[${at}] * factors;`)}
      }
      workgroupBarrier();
    }
    ${height === 64 ? '' : gather}
    if (index >= uniforms.groups || share > 0) { return; }
    for (var at = 0; at < 4; at++) {
      ${fourTimes((at) => `put(matrix, leftFirst + 4 * row + ${at}, rightFirst + 4 * column + at, sums${at}[at]);`)}
    }
  }`;
}

/** Writes one number of the result, where it has such a place. */
const put = ({ numbers }: Factor): string => `fn put(matrix : i32, row : i32, column : i32, sum : f32) {
  if (row >= uniforms.m || column >= uniforms.n) { return; }
  result[(matrix * uniforms.m + row) * uniforms.n + column] = ${numbers === 'as they are' ? 'sum' : 'rounded(sum)'};
}`;

/** Each number of the right factor is read by one thread, so nothing but the threads' sums lies in the workgroup's memory. */
function writeFewRows(left: Factor, right: Factor, height: number): string {
  const rows = Array.from({ length: height }, (_, at) => at);
  const each = (line: (row: number, column: number) => string): string =>
    rows.map((row) => fourTimes((column) => line(row, column))).join('\n');
  return `${BFLOAT16}
  var<workgroup> parts_ : array<f32, ${4 * height * FEW_THREADS}>;
  ${reader('left', 'm', left)}
  ${reader('right', 'n', right)}
  ${put(left)}
  fn compute(index : i32) {
    let thread = i32(localIndex);
    let matrix = index / uniforms.across;
    let first = index % uniforms.across * 4;
    ${rows.map((row) => `var sums${row} = vec4<f32>();`).join('\n')}
    for (var term = 2 * thread; term < uniforms.k; term += ${2 * FEW_THREADS}) {
      ${fourTimes((column) => `let factor${column} = rightAt(matrix, first + ${column}, term);`)}
      ${rows.map((row) => `let own${row} = leftAt(matrix, ${row}, term);`).join('\n')}
      ${each((row, column) => `sums${row}[${column}] += dot(own${row}, factor${column});`)}
    }
    ${each((row, column) => `parts_[${(4 * row + column) * FEW_THREADS} + thread] = sums${row}[${column}];`)}
    workgroupBarrier();
    if (index >= uniforms.groups || thread >= ${4 * height}) { return; }
    var sum = 0.0;
    for (var at = 0; at < ${FEW_THREADS}; at++) { sum += parts_[thread * ${FEW_THREADS} + at]; }
    put(matrix, thread / 4, first + thread % 4, sum);
  }`;
}
