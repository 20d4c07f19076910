import { type Dimension, type Shape, sameShape, sizeOf, type Value } from '../../../program/index.js';
import { isPacked } from './bfloat16.js';
import { ELEMENTWISE, isColumnSum, isRowSum, literalOf, wgslType } from './fused-operations.js';
import {
  broadcast,
  isColumn,
  matrixOf,
  type Place,
  placeInWhole,
  reshaped,
  type SizeNames,
  size,
  sumOf,
} from './number-places.js';
import { reductions, THREADS } from './workgroup-sums.js';

/** A shader that computes one value out of others. */
export interface FusedShader {
  /** The values that are read, in the order of the inputs `x0`, `x1`, ... */
  readonly reads: readonly Value[];
  /** Sizes of the run that the code names `d0`, `d1`, ...: each the sum of some dimensions. */
  readonly sizes: readonly (readonly Dimension[])[];
  /** Runs once a number of the result, or once a row of it. */
  readonly runs: 'numbers' | 'rows';
  readonly code: string;
}

/** A value that has to be computed by a shader of its own before the code can be written. */
export interface Refused {
  readonly refused: Value;
}

class Refusal extends Error {
  constructor(readonly value: Value) {
    super('a value that cannot be computed here');
  }
}

/** Statements, and the names of what they have computed: by value and index. */
interface Block {
  readonly lines: string[];
  readonly known: Map<string, string>;
  readonly outer?: Block;
}

interface Writer extends SizeNames {
  readonly reads: Value[];
  readonly isInline: (value: Value) => boolean;
  /** Statements of the whole row, before the loop over its numbers; absent where no row is added up. */
  readonly rowBlock?: Block;
  count: number;
}

/**
 * Writes the shader of a value.
 * @param isInline whether a value is computed within it, rather than read
 */
export function writeFused(root: Value, isInline: (value: Value) => boolean): FusedShader | Refused {
  const writer: Writer = { reads: [], sizes: [], names: new Map(), isInline, count: 0 };
  try {
    if (isColumnSum(root.node)) return finish(writer, 'numbers', columnSum(root, writer));
    if (!addsRows(root, isInline)) return finish(writer, 'numbers', numbers(root, writer));
    const rowBlock: Block = { lines: [], known: new Map() };
    const rows: Writer = { ...writer, rowBlock };
    return finish(rows, 'rows', rowsOf(root, rows));
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.value };
    throw error;
  }
}

function finish({ reads, sizes }: Writer, runs: FusedShader['runs'], code: string): FusedShader {
  return { reads, sizes, runs, code };
}

function addsRows(value: Value, isInline: (value: Value) => boolean, seen = new Set<Value>()): boolean {
  if (seen.has(value)) return false;
  seen.add(value);
  const { node } = value;
  if (node.operation === 'softmax' || isRowSum(node)) return true;
  return node.inputs.some((input) => isInline(input) && addsRows(input, isInline, seen));
}

const stored = (value: Value, name: string): string => (wgslType(value) === 'bool' ? `select(0, 1, ${name})` : name);

function numbers(root: Value, writer: Writer): string {
  const block: Block = { lines: [], known: new Map() };
  const result = compute(root, { index: 'index', ...matrixOf(root) }, block, writer);
  return `fn compute(index : i32) {
    if (index >= ${size(sizeOf(root.shape), writer)}) { return; }
    ${block.lines.join('\n')}
    result[index] = ${stored(root, result)};
  }`;
}

function columnSum({ node }: Value, writer: Writer): string {
  const [x] = node.inputs as readonly [Value];
  const [rows, columns] = x.shape as readonly [Dimension, Dimension];
  const body: Block = { lines: [], known: new Map() };
  const value = evaluate(x, { index: 'at', rowOf: x.shape }, body, writer);
  const width = size(columns, writer);
  return `fn compute(index : i32) {
    if (index >= ${width}) { return; }
    var total = 0.0;
    for (var row = 0; row < ${size(rows, writer)}; row++) {
      let at = row * ${width} + index;
      ${body.lines.join('\n')}
      total += ${value};
    }
    result[index] = total;
  }`;
}

function rowsOf(root: Value, writer: Writer): string {
  const block = writer.rowBlock!;
  const isOfRows = isRowSum(root.node) || isColumn(root.shape);
  if (!isOfRows && root.shape.length !== 2) throw new Refusal(reductionIn(root, writer));
  const rows = size(root.shape[0]!, writer);
  let end: string;
  if (isOfRows) {
    const result = compute(root, { index: 'row', isRow: true, ...matrixOf(root) }, block, writer);
    end = `if (isInside && thread == 0) { result[row] = ${stored(root, result)}; }`;
  } else {
    const body: Block = { lines: [], known: new Map(), outer: block };
    const result = compute(root, { index: 'at', rowOf: root.shape }, body, writer);
    const write = `if (isInside) { result[at] = ${stored(root, result)}; }`;
    end = loop(root.shape[1]!, [...body.lines, write], writer);
  }
  return `${reductions()}
  fn compute(index : i32) {
    let isInside = index < ${rows};
    let row = min(index, ${rows} - 1);
    let thread = i32(localIndex);
    ${block.lines.join('\n')}
    ${end}
  }`;
}

/** Every thread goes through every 64th number of the row. */
function loop(width: Dimension, lines: readonly string[], writer: Writer): string {
  const columns = size(width, writer);
  return `for (var column = thread; column < ${columns}; column += ${THREADS}) {
    let at = row * ${columns} + column;
    ${lines.join('\n')}
  }`;
}

/** The number of a value at a place: read, or computed if it is inline. */
function evaluate(value: Value, place: Place, block: Block, writer: Writer): string {
  const literal = literalOf(value);
  if (literal !== undefined) return literal;
  if (writer.isInline(value)) return compute(value, place, block, writer);
  return named(`read ${indexOf(writer.reads, value)} ${place.index}`, blockFor(place, block, writer), writer, () => {
    const buffer = `x${indexOf(writer.reads, value)}`;
    if (isPacked(value)) return `unpacked(${buffer}[(${place.index}) / 2])[(${place.index}) % 2]`;
    const element = `${buffer}[${place.index}]`;
    if (value.dtype === 'bfloat16') return `rounded(${element})`;
    return wgslType(value) === 'bool' ? `(${element} != 0)` : element;
  });
}

/** What is the same for a whole row is computed before the loop over its numbers. */
function blockFor({ isRow, index }: Place, block: Block, { rowBlock }: Writer): Block {
  return rowBlock !== undefined && (isRow === true || index === '0') ? rowBlock : block;
}

function indexOf(reads: Value[], value: Value): number {
  const at = reads.indexOf(value);
  return at >= 0 ? at : reads.push(value) - 1;
}

/** The name of a number, computed once within its block. */
function named(key: string, block: Block, writer: Writer, text: () => string): string {
  for (let place: Block | undefined = block; place !== undefined; place = place.outer) {
    const known = place.known.get(key);
    if (known !== undefined) return known;
  }
  const expression = text();
  const name = `v${writer.count++}`;
  block.lines.push(`let ${name} = ${expression};`);
  block.known.set(key, name);
  return name;
}

function compute(value: Value, place: Place, block: Block, writer: Writer): string {
  const { node } = value;
  if (node.operation === 'softmax' || isRowSum(node)) return reduced(value, place, block, writer);
  if (node.operation === 'sum') throw new Refusal(value);
  const own = blockFor(place, block, writer);
  const key = `${node.id}/${node.outputs.indexOf(value)} ${place.index}`;
  if (node.operation === 'concat') return concatenated(value, place, own, writer);
  return named(key, own, writer, () => {
    if (node.operation === 'reshape') return evaluate(node.inputs[0]!, reshaped(value, place), own, writer);
    if (node.operation === 'split') return evaluate(node.inputs[0]!, placeInWhole(value, place, writer), own, writer);
    const hasRows = writer.rowBlock !== undefined;
    const inputs = node.inputs.map((input) =>
      evaluate(input, broadcast(value, input, place, writer, hasRows), own, writer),
    );
    if (node.operation === 'broadcastTo') return inputs[0]!;
    return ELEMENTWISE[node.operation]!(inputs, node);
  });
}

/** Rows of a matrix are added up by the threads of the workgroup that computes this row. */
function reduced(value: Value, place: Place, block: Block, writer: Writer): string {
  const { node } = value;
  const { rowBlock } = writer;
  const [x] = node.inputs as readonly [Value];
  const isSoftmax = node.operation === 'softmax';
  const isHere = isSoftmax ? place.index === 'at' && sameRows(place.rowOf, x.shape) : place.isRow === true;
  if (rowBlock === undefined || !isHere) throw new Refusal(value);
  const total = (key: string, reduce: string, start: string, step: (sum: string, x: string) => string): string =>
    named(`${key} ${node.id}`, rowBlock, writer, () => {
      const body: Block = { lines: [], known: new Map(), outer: rowBlock };
      const element = evaluate(x, { index: 'at', rowOf: x.shape }, body, writer);
      const sum = `t${writer.count++}`;
      rowBlock.lines.push(`var ${sum} = ${start};`);
      rowBlock.lines.push(loop(x.shape[1]!, [...body.lines, `${sum} = ${step(sum, element)};`], writer));
      return `${reduce}(${sum}, thread)`;
    });
  if (!isSoftmax) return total('sum', 'reduceSum', '0.0', (sum, element) => `${sum} + ${element}`);
  const top = total('max', 'reduceMax', '-3.4e38', (sum, element) => `max(${sum}, ${element})`);
  const all = total('exponentials', 'reduceSum', '0.0', (sum, element) => `${sum} + exp(${element} - ${top})`);
  const own = evaluate(x, { index: 'at', rowOf: x.shape }, block, writer);
  return named(`softmax ${node.id}`, block, writer, () => `exp(${own} - ${top}) / ${all}`);
}

const sameRows = (a: Shape | undefined, b: Shape): boolean => a !== undefined && sameShape(a, b);

/** Parts side by side: which one a number is of depends on its column. */
function concatenated(value: Value, place: Place, block: Block, writer: Writer): string {
  const { node, shape } = value;
  const width = size(shape.at(-1)!, writer);
  const column = named(`column ${width} ${place.index}`, block, writer, () => `(${place.index}) % ${width}`);
  const row = named(`row ${width} ${place.index}`, block, writer, () => `(${place.index}) / ${width}`);
  const result = `c${writer.count++}`;
  const parts: string[] = [];
  for (const [at, part] of node.inputs.entries()) {
    const before = node.inputs.slice(0, at).map((one) => one.shape.at(-1)!);
    const start = before.length === 0 ? '0' : sumOf(before, writer);
    const own = size(part.shape.at(-1)!, writer);
    const inner: Block = { lines: [], known: new Map(), outer: block };
    const number = evaluate(part, { index: `(${row} * ${own} + ${column} - ${start})` }, inner, writer);
    const isLast = at === node.inputs.length - 1;
    const condition = isLast ? '' : ` if (${column} < ${sumOf([...before, part.shape.at(-1)!], writer)})`;
    parts.push(`${at === 0 ? '' : 'else'}${condition} { ${inner.lines.join('\n')} ${result} = ${number}; }`);
  }
  // Together, since what is the same for a whole row may have been written meanwhile.
  block.lines.push(`var ${result} : ${wgslType(value)};`, ...parts);
  return result;
}

function reductionIn(value: Value, writer: Writer): Value {
  const inner = value.node.inputs.find((input) => writer.isInline(input) && addsRows(input, writer.isInline))!;
  return inner.node.operation === 'softmax' || isRowSum(inner.node) ? inner : reductionIn(inner, writer);
}
