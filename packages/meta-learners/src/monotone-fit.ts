/** A rising piecewise linear function: knots with ascending `x` and rising `y`, constant beyond its ends. */
export interface MonotoneFit {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** Points of one x or of several, pooled. */
interface Block {
  first: number;
  last: number;
  sum: number;
  count: number;
}

/**
 * The rising function nearest to the points by least squares, by pool-adjacent-violators. Points of equal x count as
 * their mean. Each pooled block is flat between its first and its last x; between blocks the function is linear.
 *
 * Barlow, Bartholomew, Bremner and Brunk 1972, Statistical Inference under Order Restrictions, chapter 1.
 */
export function monotoneFit(x: Float32Array, y: Float32Array): MonotoneFit {
  const blocks: Block[] = [];
  for (const point of pointsByX(x, y)) {
    let block = point;
    while (blocks.length > 0 && mean(blocks.at(-1)!) >= mean(block)) block = pooled(blocks.pop()!, block);
    blocks.push(block);
  }
  const knots = blocks.flatMap((block) =>
    (block.first === block.last ? [block.first] : [block.first, block.last]).map((at) => [at, mean(block)] as const),
  );
  return { x: Float64Array.from(knots, (knot) => knot[0]), y: Float64Array.from(knots, (knot) => knot[1]) };
}

/** Value of a fit at `at`; `undefined` when it has no knots. */
export function fitAt(fit: MonotoneFit, at: number): number | undefined {
  const above = firstAbove(fit.x, at);
  if (above === 0) return fit.y[0];
  if (above === fit.x.length) return fit.y[above - 1];
  const [left, right] = [fit.x[above - 1]!, fit.x[above]!];
  const share = (at - left) / (right - left);
  return fit.y[above - 1]! * (1 - share) + fit.y[above]! * share;
}

function pointsByX(x: Float32Array, y: Float32Array): Block[] {
  const order = Array.from(x.keys()).sort((a, b) => x[a]! - x[b]!);
  const points: Block[] = [];
  for (const at of order) {
    const point = { first: x[at]!, last: x[at]!, sum: y[at]!, count: 1 };
    const previous = points.at(-1);
    if (previous?.last === point.first) points[points.length - 1] = pooled(previous, point);
    else points.push(point);
  }
  return points;
}

function pooled(left: Block, right: Block): Block {
  return { first: left.first, last: right.last, sum: left.sum + right.sum, count: left.count + right.count };
}

function mean(block: Block): number {
  return block.sum / block.count;
}

function firstAbove(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
