import type { DataType } from '../../program/index.js';
import {
  attribute,
  type ControlEdge,
  createNodeWriter,
  type OperationWriter,
  type Output,
  TENSORFLOW_TYPES,
} from './graph-writer.js';
import { bytesField, integerField, messageField, textField } from './message-fields.js';

/** A function of a graph while it is written. */
export interface FunctionWriter extends OperationWriter {
  /** A new argument. */
  argument(dtype: DataType | 'resource'): Output;
  /**
   * The bytes of the finished function (function.proto).
   * @param effects what a call waits for beside its results: nothing else that changes states is certain to happen
   */
  definition(name: string, results: readonly Result[], effects: readonly ControlEdge[]): Uint8Array;
}

/** What a function gives back. */
export interface Result {
  readonly output: Output;
  readonly dtype: DataType;
}

/** Names of outputs, as TensorFlow's registry has them, of operations that do not call theirs `output`. */
const OUTPUT_NAMES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['AddV2', 'Sub', 'Mul', 'RealDiv', 'Minimum', 'Maximum', 'LessEqual', 'Less', 'Equal', 'LogicalAnd'].map((type) => [
      type,
      ['z'],
    ]),
  ),
  ...Object.fromEntries(
    ['Neg', 'Exp', 'Log', 'Sqrt', 'Rsqrt', 'Square', 'Sigmoid', 'Tanh', 'Cast', 'Transpose', 'DeepCopy'].map((type) => [
      type,
      ['y'],
    ]),
  ),
  Softplus: ['activations'],
  MatMul: ['product'],
  Softmax: ['softmax'],
  InplaceUpdate: ['y'],
  Unique: ['y', 'idx'],
  ReadVariableOp: ['value'],
  VarIsInitializedOp: ['is_initialized'],
  Switch: ['output_false', 'output_true'],
  Merge: ['output', 'value_index'],
  MetaapoRmsNormGradient: ['dx', 'dweight'],
  MetaapoGatedSiluGradient: ['dgate', 'dup'],
  MetaapoAttention: ['output', 'scales'],
  MetaapoAttentionGradient: ['dquery', 'dkey', 'dvalue'],
};

/**
 * An empty function. Its operations name inputs as those of a graph do; what they become in the definition is
 * `node:output:index`, or the argument's name.
 * @param howToRun the attribute that says so to the runtime
 */
export function createFunctionWriter(howToRun: string, hasKernels: boolean): FunctionWriter {
  const types: (DataType | 'resource')[] = [];
  const operations = new Map<string, string>();
  const reference = (output: Output): string => {
    const [name, position = '0'] = output.split(':') as [string, string?];
    const type = operations.get(name);
    if (type === undefined) return name;
    const names = OUTPUT_NAMES[type];
    return names === undefined ? `${name}:output:${position}` : `${name}:${names[Number(position)]}:0`;
  };
  const nodes = createNodeWriter(NODES, reference, hasKernels);
  return {
    ...nodes.writer,
    add(type, inputs, attributes, wished) {
      const name = nodes.writer.add(type, inputs, attributes, wished);
      operations.set(name, type);
      return name;
    },
    constant(data, shape, prefix) {
      const name = nodes.writer.constant(data, shape, prefix);
      operations.set(name, 'Const');
      return name;
    },
    argument(dtype) {
      types.push(dtype);
      return `argument${types.length - 1}`;
    },
    definition(name, results, effects) {
      const signature = messageField(
        1,
        textField(1, name),
        ...types.map((dtype, at) => declaration(2, `argument${at}`, dtype)),
        ...results.map(({ dtype }, at) => declaration(3, `result${at}`, dtype)),
        integerField(IS_STATEFUL, 1),
        ...effects.map((edge) => textField(CONTROL_OUTPUT, edge.slice(1))),
      );
      const returned = results.map(({ output }, at) =>
        messageField(4, textField(1, `result${at}`), textField(2, reference(output))),
      );
      const waited = effects.map((edge) => messageField(6, textField(1, edge.slice(1)), textField(2, edge.slice(1))));
      const written = messageField(5, textField(1, howToRun), bytesField(2, attribute.boolean(true)));
      return Buffer.concat([signature, ...nodes.blocks(), ...returned, ...waited, written]);
    },
  };
}

const NODES = 3;
const IS_STATEFUL = 17;
const CONTROL_OUTPUT = 20;

function declaration(field: number, name: string, dtype: DataType | 'resource'): Uint8Array {
  return messageField(field, textField(1, name), integerField(3, TENSORFLOW_TYPES[dtype]));
}
