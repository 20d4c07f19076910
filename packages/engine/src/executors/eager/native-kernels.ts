import * as tf from '@tensorflow/tfjs';
import type { Node } from '../../program/index.js';
import type { Kernel } from './kernels.js';

/** TensorFlow's numbers for element types and attribute kinds (types.proto, tf_attrtype.h). */
const FLOAT = 1;
const INT32 = 3;
const ATTRIBUTE_TYPE = 6;
const ATTRIBUTE_BOOL = 4;

interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The part of tfjs-node's backend that runs TensorFlow operations by name. */
interface NativeBackend {
  readonly binding: { readonly TF_ATTR_TYPE: number; readonly TF_ATTR_BOOL: number };
  executeSingleOutput(name: string, attributes: OperationAttribute[], inputs: tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: OperationAttribute[],
    inputs: tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

const native = (): NativeBackend => tf.backend() as unknown as NativeBackend;
const typeAttribute = (name: string, value: number): OperationAttribute => ({
  name,
  type: native().binding.TF_ATTR_TYPE ?? ATTRIBUTE_TYPE,
  value,
});
const boolAttribute = (name: string, value: boolean): OperationAttribute => ({
  name,
  type: native().binding.TF_ATTR_BOOL ?? ATTRIBUTE_BOOL,
  value,
});

/** Kernels that use TensorFlow operations which TensorFlow.js does not name. */
export const NATIVE_KERNELS: Readonly<Record<string, Kernel>> = {
  matmul: ([a, b], node: Node) => {
    const { transposeA, transposeB } = node.attributes as { transposeA: boolean; transposeB: boolean };
    return [
      native().executeSingleOutput(
        'MatMul',
        [boolAttribute('transpose_a', transposeA), boolAttribute('transpose_b', transposeB), typeAttribute('T', FLOAT)],
        [a!, b!],
      ),
    ];
  },
  segmentSum: ([x, indices], _, { outputShapes }) => {
    const rows = tf.scalar(outputShapes[0]![0]!, 'int32');
    const sums = native().executeSingleOutput(
      'UnsortedSegmentSum',
      [typeAttribute('T', FLOAT), typeAttribute('Tindices', INT32), typeAttribute('Tnumsegments', INT32)],
      [x!, indices!, rows],
    );
    rows.dispose();
    return [sums];
  },
  crossEntropy: ([logits, targets]) =>
    native().executeMultipleOutputs(
      'SparseSoftmaxCrossEntropyWithLogits',
      [typeAttribute('T', FLOAT), typeAttribute('Tlabels', INT32)],
      [logits!, targets!],
      2,
    ),
};
