import * as tf from '@tensorflow/tfjs';
import type { KernelAttributes } from '../../../program/index.js';
import { type AttentionWork, attentionWork, TILE } from './attention-work.js';
import type { FedIndices } from './fed-indices.js';
import { runShader } from './run-shader.js';

/** Which heads attend, and what they see. */
export type AttentionForm = Extract<KernelAttributes, { readonly kernel: 'Attention' | 'AttentionGradient' }>;

type Matrix = tf.Tensor2D;

/** Bytes of a workgroup's memory that every adapter has. */
const SHARED_BYTES = 16_384;

/** What the code of the shaders is written from. */
interface Written extends AttentionForm {
  readonly dim: number;
  /** Vectors of four numbers that a row takes. */
  readonly quads: number;
  /** Rows of two matrices that lie in a workgroup's memory at a time, with four numbers for each more. */
  readonly block: number;
}

function written(form: AttentionForm, dim: number): Written {
  const quads = Math.ceil(dim / 4);
  const most = (SHARED_BYTES - 256) / (32 * quads + 16);
  return { ...form, dim, quads, block: Math.min(32, 2 ** Math.floor(Math.log2(most))) };
}

const nameOf = (what: string, { heads, groups, window, cap, dim }: Written): string =>
  `${what} ${[heads, groups, window, cap, dim].join(' ')}`;

function workOf(segments: tf.Tensor, tokens: number, { window }: AttentionForm, fed: FedIndices): AttentionWork {
  return fed.derive(segments, `attention ${window}`, (data) => attentionWork(data, tokens, window));
}

/**
 * Attention by tiles (arXiv 2205.14135), a thread a query; keys and values go through the workgroup's memory.
 * @param inputs queries `[N*h, d]`, keys and values `[N*g, d]`, segments `[S, 4]` (borrowed)
 * @returns the output `[N*h, d]`, and `[N*h, 2]`: the largest score and the inverse sum of exponentials (owned)
 */
export function attention(inputs: readonly tf.Tensor[], form: AttentionForm, fed: FedIndices): readonly tf.Tensor[] {
  const [query, key, value, segments] = inputs as readonly [Matrix, Matrix, Matrix, Matrix];
  const [rows, dim] = query.shape;
  const { tiles } = workOf(segments, rows / form.heads, form, fed);
  const code = written(form, dim);
  const count = tiles.shape[0];
  const shader = {
    name: nameOf('attention', code),
    inputs: ['query', 'key', 'value', 'tiles'],
    uniforms: { tiles: count, rows },
    runs: { groups: count * form.heads },
    code: forward(code),
  };
  return cutInTwo(runShader(shader, [query, key, value, tiles], [rows * (dim + 2)]), [rows, dim], [rows, 2]);
}

/**
 * The gradients of queries, keys and values: the scores are computed again, once for the queries and once for the keys.
 * @param inputs the gradient of the output, what {@link attention} gave, and its inputs (borrowed)
 */
export function attentionGradient(
  inputs: readonly tf.Tensor[],
  form: AttentionForm,
  fed: FedIndices,
): readonly tf.Tensor[] {
  type Inputs = readonly [Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix];
  const [gradient, output, scales, query, key, value, segments] = inputs as Inputs;
  const [rows, dim] = query.shape;
  const { tiles, keyTiles, runs } = workOf(segments, rows / form.heads, form, fed);
  const code = written(form, dim);
  const statistics = runShader(
    {
      name: `attention statistics ${dim}`,
      inputs: ['gradient', 'output', 'scales'],
      uniforms: { rows },
      runs: { threads: rows },
      code: statisticsOf(dim),
    },
    [gradient, output, scales],
    [rows, 3],
  );
  const [count, keyCount] = [tiles.shape[0], keyTiles.shape[0]];
  const forQueries = {
    name: nameOf('attention gradient of queries', code),
    inputs: ['gradient', 'statistics', 'query', 'key', 'value', 'tiles'],
    uniforms: { tiles: count },
    runs: { groups: count * form.heads },
    code: queryGradient(code),
  };
  const forKeys = {
    name: nameOf('attention gradient of keys', code),
    inputs: ['gradient', 'statistics', 'query', 'key', 'value', 'keyTiles', 'runs'],
    uniforms: { tiles: keyCount, size: key.size },
    runs: { groups: keyCount * form.groups },
    code: keyGradient(code),
  };
  const shared = [gradient, statistics, query, key, value];
  const dQuery = runShader(forQueries, [...shared, tiles], query.shape);
  const both = runShader(forKeys, [...shared, keyTiles, runs], [2 * key.size]);
  statistics.dispose();
  return [dQuery, ...cutInTwo(both, key.shape, value.shape)];
}

/** The two matrices that a shader wrote one behind the other; the whole is disposed of. */
function cutInTwo(
  whole: tf.Tensor,
  first: readonly [number, number],
  second: readonly [number, number],
): readonly [tf.Tensor, tf.Tensor] {
  const size = first[0] * first[1];
  const parts = tf.tidy((): [tf.Tensor, tf.Tensor] => [
    tf.reshape(tf.slice(whole, 0, size), [...first]),
    tf.reshape(tf.slice(whole, size, second[0] * second[1]), [...second]),
  ]);
  whole.dispose();
  return parts;
}

/** A function that reads four numbers of a row of a buffer; zeros stand behind the row's end. */
function reader(buffer: string, { dim }: Written): string {
  const numbers = [0, 1, 2, 3].map((at) =>
    dim % 4 === 0 ? `${buffer}[at + ${at}]` : `select(0.0, ${buffer}[min(at + ${at}, end)], at + ${at} <= end)`,
  );
  return `fn ${buffer}At(row : i32, quad : i32) -> vec4<f32> {
    let at = row * ${dim} + quad * 4;
    let end = row * ${dim} + ${dim - 1};
    return vec4<f32>(${numbers.join(', ')});
  }`;
}

const readers = (buffers: readonly string[], code: Written): string =>
  buffers.map((buffer) => reader(buffer, code)).join('\n');

/** The workgroup's tile, in a form whose bounds the compiler knows to be the same for all threads. */
function openTile(buffer: string, perTile: number): string {
  return `
    let thread = i32(localIndex);
    let part = index % ${perTile};
    let number = min(index / ${perTile}, uniforms.tiles - 1);
    if (thread < 5) { tile_[thread] = ${buffer}[number * 5 + thread]; }
    let tile = workgroupUniformLoad(&tile_);
    let isInside = index / ${perTile} < uniforms.tiles && thread < tile[1];
    let token = tile[0] + min(thread, tile[1] - 1);
    let place = tile[2] + thread;
  `;
}

const sharedRows = (names: readonly string[], { block, quads }: Written): string =>
  [
    'var<workgroup> tile_ : array<i32, 5>;',
    ...names.map((name) => `var<workgroup> ${name} : array<vec4<f32>, ${block * quads}>;`),
  ].join('\n');

/** Every thread goes through the keys that its tile sees, block after block; `body` is of one key `k` that it sees itself. */
function overKeys({ heads, groups, window, block, quads }: Written, body: string): string {
  const isSeen = window === 0 ? 'seen <= place' : `seen <= place && seen > place - ${window}`;
  return `
    let end = tile[2] + tile[1];
    let ownStart = tile[0] - tile[2];
    for (var first = ${window === 0 ? '0' : `max(0, tile[2] + ${1 - window})`}; first < end; first += ${block}) {
      for (var at = thread; at < ${block * quads}; at += ${TILE}) {
        let key_ = min(first + at / ${quads}, end - 1);
        let row = select(ownStart + key_, tile[3] + key_, key_ < tile[4]) * ${groups} + part / ${heads / groups};
        keys_[at] = keyAt(row, at % ${quads});
        values_[at] = valueAt(row, at % ${quads});
      }
      workgroupBarrier();
      for (var k = 0; k < ${block}; k++) {
        let seen = first + k;
        if (isInside && ${isSeen}) { ${body} }
      }
      workgroupBarrier();
    }
  `;
}

/** The score of a query and a key, bounded where it is to be. */
function score(query: string, key: string, { quads, cap }: Written): string {
  const bounded = `
    let small = exp(-2.0 * abs(score) / ${cap});
    score = sign(score) * ${cap} * (1.0 - small) / (1.0 + small);`;
  return `
    var score = 0.0;
    for (var i = 0; i < ${quads}; i++) { score += dot(${query}, ${key}); }
    ${cap === 0 ? '' : bounded}
  `;
}

function forward(code: Written): string {
  const { heads, dim, quads } = code;
  const body = `
    ${score('query_[i]', `keys_[k * ${quads} + i]`, code)}
    let next = max(top, score);
    let shrink = exp(top - next);
    let weight = exp(score - next);
    total = total * shrink + weight;
    for (var i = 0; i < ${quads}; i++) { sum[i] = sum[i] * shrink + weight * values_[k * ${quads} + i]; }
    top = next;
  `;
  return `
  ${readers(['query', 'key', 'value'], code)}
  ${sharedRows(['keys_', 'values_'], code)}
  fn compute(index : i32) {
    ${openTile('tiles', heads)}
    let row = token * ${heads} + part;
    var query_ : array<vec4<f32>, ${quads}>;
    var sum : array<vec4<f32>, ${quads}>;
    for (var i = 0; i < ${quads}; i++) { query_[i] = queryAt(row, i); }
    var top = -1e30;
    var total = 0.0;
    ${overKeys(code, body)}
    if (!isInside) { return; }
    let inverse = select(0.0, 1.0 / total, total > 0.0);
    for (var i = 0; i < ${dim}; i++) { result[row * ${dim} + i] = sum[i / 4][i % 4] * inverse; }
    result[uniforms.rows * ${dim} + 2 * row] = top;
    result[uniforms.rows * ${dim} + 2 * row + 1] = inverse;
  }`;
}

/** `[N*h, 3]`: the two numbers of each query's scores, and the product of its output and the output's gradient. */
const statisticsOf = (dim: number): string => `
  fn compute(index : i32) {
    if (index >= uniforms.rows) { return; }
    var product_ = 0.0;
    for (var i = 0; i < ${dim}; i++) { product_ += gradient[index * ${dim} + i] * output[index * ${dim} + i]; }
    result[3 * index] = scales[2 * index];
    result[3 * index + 1] = scales[2 * index + 1];
    result[3 * index + 2] = product_;
  }
`;

/** The weight of a key and the gradient of its score: dS = P (dO V^T - rowsum(dO O)), through the bound. */
function slopes(gradient: string, value: string, statistics: string, { quads, cap }: Written): string {
  return `
    let weight = exp(score - ${statistics}.x) * ${statistics}.y;
    var reach = 0.0;
    for (var i = 0; i < ${quads}; i++) { reach += dot(${gradient}, ${value}); }
    let slope = weight * (reach - ${statistics}.z)${cap === 0 ? '' : ` * (1.0 - (score / ${cap}) * (score / ${cap}))`};
  `;
}

function queryGradient(code: Written): string {
  const { heads, dim, quads } = code;
  const body = `
    ${score('query_[i]', `keys_[k * ${quads} + i]`, code)}
    ${slopes('gradient_[i]', `values_[k * ${quads} + i]`, 'own', code)}
    for (var i = 0; i < ${quads}; i++) { sum[i] += slope * keys_[k * ${quads} + i]; }
  `;
  return `
  ${readers(['query', 'key', 'value', 'gradient'], code)}
  ${sharedRows(['keys_', 'values_'], code)}
  fn compute(index : i32) {
    ${openTile('tiles', heads)}
    let row = token * ${heads} + part;
    let own = vec3<f32>(statistics[3 * row], statistics[3 * row + 1], statistics[3 * row + 2]);
    var query_ : array<vec4<f32>, ${quads}>;
    var gradient_ : array<vec4<f32>, ${quads}>;
    var sum : array<vec4<f32>, ${quads}>;
    for (var i = 0; i < ${quads}; i++) { query_[i] = queryAt(row, i); gradient_[i] = gradientAt(row, i); }
    ${overKeys(code, body)}
    if (!isInside) { return; }
    for (var i = 0; i < ${dim}; i++) { result[row * ${dim} + i] = sum[i / 4][i % 4]; }
  }`;
}

/** dV = P^T dO and dK = dS^T Q, a thread a key: every thread goes through the queries that see its tile, in one order. */
function keyGradient(code: Written): string {
  const { heads, groups, window, dim, quads, block } = code;
  const isSeen = window === 0 ? 'place <= seeing' : `place <= seeing && place > seeing - ${window}`;
  return `
  ${readers(['query', 'key', 'value', 'gradient'], code)}
  ${sharedRows(['queries_', 'gradients_'], code)}
  var<workgroup> run_ : array<i32, 3>;
  var<workgroup> statistics_ : array<vec3<f32>, ${block}>;
  fn compute(index : i32) {
    ${openTile('keyTiles', groups)}
    let row = token * ${groups} + part;
    var key_ : array<vec4<f32>, ${quads}>;
    var value_ : array<vec4<f32>, ${quads}>;
    var keySum : array<vec4<f32>, ${quads}>;
    var valueSum : array<vec4<f32>, ${quads}>;
    for (var i = 0; i < ${quads}; i++) { key_[i] = keyAt(row, i); value_[i] = valueAt(row, i); }
    for (var number_ = tile[3]; number_ < tile[4]; number_++) {
      if (thread < 3) { run_[thread] = runs[3 * number_ + thread]; }
      let run = workgroupUniformLoad(&run_);
      for (var repeat = 0; repeat < ${heads / groups}; repeat++) {
        let head = part * ${heads / groups} + repeat;
        for (var first = 0; first < run[1]; first += ${block}) {
          for (var at = thread; at < ${block * quads}; at += ${TILE}) {
            let asking = (run[0] + min(first + at / ${quads}, run[1] - 1)) * ${heads} + head;
            queries_[at] = queryAt(asking, at % ${quads});
            gradients_[at] = gradientAt(asking, at % ${quads});
            if (at % ${quads} == 0) {
              statistics_[at / ${quads}] = vec3<f32>(statistics[3 * asking], statistics[3 * asking + 1], statistics[3 * asking + 2]);
            }
          }
          workgroupBarrier();
          for (var q = 0; q < min(${block}, run[1] - first); q++) {
            let seeing = run[2] + first + q;
            if (isInside && ${isSeen}) {
              ${score(`queries_[q * ${quads} + i]`, 'key_[i]', code)}
              ${slopes(`gradients_[q * ${quads} + i]`, 'value_[i]', 'statistics_[q]', code)}
              for (var i = 0; i < ${quads}; i++) {
                keySum[i] += slope * queries_[q * ${quads} + i];
                valueSum[i] += weight * gradients_[q * ${quads} + i];
              }
            }
          }
          workgroupBarrier();
        }
      }
    }
    if (!isInside) { return; }
    for (var i = 0; i < ${dim}; i++) {
      result[row * ${dim} + i] = keySum[i / 4][i % 4];
      result[uniforms.size + row * ${dim} + i] = valueSum[i / 4][i % 4];
    }
  }`;
}
