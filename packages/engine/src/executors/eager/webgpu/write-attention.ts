import type { KernelAttributes } from '../../../program/index.js';
import { TILE } from './attention-work.js';

/** Which heads attend, and what they see. */
export type AttentionForm = Extract<KernelAttributes, { readonly groups: number }>;

/** The name of a shader, which tells apart all that its code depends on. */
export const attentionName = (what: string, { heads, groups, window, cap }: AttentionForm, dim: number): string =>
  `${what} ${[heads, groups, window, cap, dim].join(' ')}`;

/** Bytes of a workgroup's memory that every adapter has. */
const SHARED_BYTES = 16_384;

/** What the code of the shaders is written from. */
export interface WrittenAttention extends AttentionForm {
  readonly dim: number;
  /** Vectors of four numbers that a row takes. */
  readonly quads: number;
  /** Rows of two matrices that lie in a workgroup's memory at a time, with four numbers for each more. */
  readonly block: number;
}

/** What is known of attention over heads of this size when its code is written. */
export function writtenAttention(form: AttentionForm, dim: number): WrittenAttention {
  const quads = Math.ceil(dim / 4);
  const most = (SHARED_BYTES - 256) / (32 * quads + 16);
  return { ...form, dim, quads, block: Math.min(32, 2 ** Math.floor(Math.log2(most))) };
}

/** A function that reads four numbers of a row of a buffer; zeros stand behind the row's end. */
function reader(buffer: string, { dim }: WrittenAttention): string {
  const numbers = [0, 1, 2, 3].map((at) =>
    dim % 4 === 0 ? `${buffer}[at + ${at}]` : `select(0.0, ${buffer}[min(at + ${at}, end)], at + ${at} <= end)`,
  );
  return `fn ${buffer}At(row : i32, quad : i32) -> vec4<f32> {
    let at = row * ${dim} + quad * 4;
    let end = row * ${dim} + ${dim - 1};
    return vec4<f32>(${numbers.join(', ')});
  }`;
}

const readers = (buffers: readonly string[], code: WrittenAttention): string =>
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

const sharedRows = (names: readonly string[], { block, quads }: WrittenAttention): string =>
  [
    'var<workgroup> tile_ : array<i32, 5>;',
    ...names.map((name) => `var<workgroup> ${name} : array<vec4<f32>, ${block * quads}>;`),
  ].join('\n');

/** Every thread goes through the keys that its tile sees, block after block; `body` is of one key `k` that it sees itself. */
function overKeys({ heads, groups, window, block, quads }: WrittenAttention, body: string): string {
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

/** Bounds a score `score`, where it is to be: c tanh(s / c). */
export function writeBound(cap: number): string {
  if (cap === 0) return '';
  return `
    let small = exp(-2.0 * abs(score) / ${cap});
    score = sign(score) * ${cap} * (1.0 - small) / (1.0 + small);
  `;
}

/** The score of a query and a key. */
function score(query: string, key: string, { quads, cap }: WrittenAttention): string {
  return `
    var score = 0.0;
    for (var i = 0; i < ${quads}; i++) { score += dot(${query}, ${key}); }
    ${writeBound(cap)}
  `;
}

/** A thread a query: its output, behind all outputs the largest score and the inverse sum of exponentials. */
export function writeForward(code: WrittenAttention): string {
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
export const writeStatistics = (dim: number): string => `
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
function slopes(gradient: string, value: string, statistics: string, { quads, cap }: WrittenAttention): string {
  return `
    let weight = exp(score - ${statistics}.x) * ${statistics}.y;
    var reach = 0.0;
    for (var i = 0; i < ${quads}; i++) { reach += dot(${gradient}, ${value}); }
    let slope = weight * (reach - ${statistics}.z)${cap === 0 ? '' : ` * (1.0 - (score / ${cap}) * (score / ${cap}))`};
  `;
}

/** A thread a query. */
export function writeQueryGradient(code: WrittenAttention): string {
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
export function writeKeyGradient(code: WrittenAttention): string {
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
