import { MetaapoError } from '@metaapo/core/contracts';

/**
 * Size of one axis: a number, or a product of symbols that a run binds, in canonical form (`tokens`, `8*tokens`,
 * `keys*segments`).
 */
export type Dimension = number | string;

/** Sizes of all axes of a value, outermost first. */
export type Shape = readonly Dimension[];

/** Numbers that a run gives to the symbols of a program. */
export type DimensionBindings = Readonly<Record<string, number>>;

function factors(dimension: Dimension): { coefficient: number; symbols: string[] } {
  if (typeof dimension === 'number') return { coefficient: dimension, symbols: [] };
  let coefficient = 1;
  const symbols: string[] = [];
  for (const part of dimension.split('*')) {
    if (/^\d+$/.test(part)) coefficient *= Number(part);
    else symbols.push(part);
  }
  return { coefficient, symbols };
}

/** The product of dimensions in canonical form: the number first, then the symbols in alphabetical order. */
export function product(...dimensions: readonly Dimension[]): Dimension {
  let coefficient = 1;
  const symbols: string[] = [];
  for (const dimension of dimensions) {
    const parts = factors(dimension);
    coefficient *= parts.coefficient;
    symbols.push(...parts.symbols);
  }
  if (symbols.length === 0 || coefficient === 0) return coefficient;
  symbols.sort();
  return coefficient === 1 ? symbols.join('*') : [coefficient, ...symbols].join('*');
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): Dimension {
  return product(...shape);
}

/** The symbols of a dimension, with repetition. */
export function symbolsOf(dimension: Dimension): readonly string[] {
  return factors(dimension).symbols;
}

/** The number in front of a dimension's symbols. */
export function coefficientOf(dimension: Dimension): number {
  return factors(dimension).coefficient;
}

/**
 * The number a dimension has in a run.
 * @throws MetaapoError with code `internal` when a symbol is unbound.
 */
export function evaluateDimension(dimension: Dimension, bindings: DimensionBindings): number {
  if (typeof dimension === 'number') return dimension;
  const { coefficient, symbols } = factors(dimension);
  return symbols.reduce((result, symbol) => {
    const size = bindings[symbol];
    if (size === undefined) {
      throw new MetaapoError('internal', 'an unbound dimension', {
        where: `dimension ${dimension}`,
        expected: `a value of ${symbol}`,
        got: `only ${Object.keys(bindings).join(', ') || 'nothing'}`,
      });
    }
    return result * size;
  }, coefficient);
}

/** The numbers a shape has in a run. */
export function evaluateShape(shape: Shape, bindings: DimensionBindings): number[] {
  return shape.map((dimension) => evaluateDimension(dimension, bindings));
}

/** True when both shapes are the same in every run. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/**
 * The shape of an elementwise operation on two shapes: axes are aligned at the end, an axis of size 1 is repeated.
 * @throws MetaapoError with code `internal` when two sizes differ and neither is 1.
 */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis): Dimension => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new MetaapoError('internal', 'shapes do not fit together', {
      where: 'an elementwise operation',
      got: `[${a}] and [${b}]`,
    });
  });
}
