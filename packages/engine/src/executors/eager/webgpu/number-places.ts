import { type Dimension, type Node, product, type Shape, sameShape, type Value } from '../../../program/index.js';

/** Where a number lies: its index as WGSL, and whether that is the row that the workgroup computes. */
export interface Place {
  readonly index: string;
  readonly isRow?: boolean;
  /** The matrix of the row that `index` lies in. */
  readonly rowOf?: Shape;
}

/** Sizes of a run, as far as code names them. */
export interface SizeNames {
  /** Those that the code names `d0`, `d1`, ...: each the sum of some dimensions. */
  readonly sizes: (readonly Dimension[])[];
  readonly names: Map<string, string>;
}

/** The rows of a value that is a matrix. */
export const matrixOf = ({ shape }: Value): { readonly rowOf?: Shape } => (shape.length === 2 ? { rowOf: shape } : {});

/** Whether a shape has one number a row. */
export const isColumn = (shape: Shape): boolean => shape.length === 1 || (shape.length === 2 && shape[1] === 1);

/** The same place of the same numbers in another shape, whose rows are others. */
export function reshaped({ node, shape }: Value, place: Place): Place {
  const [x] = node.inputs as readonly [Value];
  if (sameShape(x.shape, shape)) return place;
  return { index: place.index, ...(place.isRow === true && isColumn(x.shape) && { isRow: true }) };
}

/** Where a number of a part lies in the whole that was split. */
export function placeInWhole(value: Value, { index }: Place, names: SizeNames): Place {
  const node = value.node as Extract<Node, { operation: 'split' }>;
  const { axis, sizes } = node.attributes;
  const whole = node.inputs[0]!.shape;
  const inner = size(product(...whole.slice(axis + 1)), names);
  const before = sizes.slice(0, node.outputs.indexOf(value));
  const offset = before.length === 0 ? '0' : sumOf(before, names);
  const own = `(${size(sizes[node.outputs.indexOf(value)]!, names)} * ${inner})`;
  const outer = axis === 0 ? '0' : `(${index}) / ${own} * (${size(whole[axis]!, names)} * ${inner})`;
  const rest = axis === 0 ? `(${index})` : `(${index}) % ${own}`;
  return { index: `(${outer} + ${offset} * ${inner} + ${rest})` };
}

/**
 * Where the number of an input lies that goes into a number of the result.
 * @param hasRows whether a workgroup computes a row, number by number at the index `at`
 */
export function broadcast({ shape }: Value, input: Value, place: Place, names: SizeNames, hasRows: boolean): Place {
  if (sameShape(shape, input.shape)) return place;
  if (input.shape.every((dimension) => dimension === 1)) return { index: '0' };
  const skipped = shape.length - input.shape.length;
  const isOfRows = shape.length === 2 && input.shape.length === 2 && input.shape[1] === 1;
  if (isOfRows && place.rowOf !== undefined && hasRows && place.index === 'at') {
    return { index: 'row', isRow: true, rowOf: input.shape };
  }
  const terms = input.shape.flatMap((dimension, axis) => {
    if (dimension === 1) return [];
    const below = size(product(...shape.slice(axis + skipped + 1)), names);
    const stride = size(product(...input.shape.slice(axis + 1)), names);
    const isOutermost = axis + skipped === 0;
    const coordinate = `(${place.index}) / ${below}${isOutermost ? '' : ` % ${size(dimension, names)}`}`;
    return [`${coordinate} * ${stride}`];
  });
  return { index: `(${terms.join(' + ')})` };
}

/** A dimension in the code: a number, or the name of a size of the run. */
export function size(dimension: Dimension, names: SizeNames): string {
  return typeof dimension === 'number' ? `${dimension}` : sumOf([dimension], names);
}

/** The sum of dimensions in the code. */
export function sumOf(dimensions: readonly Dimension[], names: SizeNames): string {
  if (dimensions.every((dimension) => typeof dimension === 'number')) {
    return `${dimensions.reduce((sum: number, dimension) => sum + (dimension as number), 0)}`;
  }
  const key = dimensions.join('+');
  const known = names.names.get(key);
  if (known !== undefined) return `uniforms.${known}`;
  const name = `d${names.sizes.push(dimensions) - 1}`;
  names.names.set(key, name);
  return `uniforms.${name}`;
}
