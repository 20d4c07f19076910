import type { Node, Value } from '../../program/index.js';
import { attribute, type ControlEdge, controlEdge, type Output } from './graph-writer.js';
import type { ProgramWriter } from './program-writer.js';
import type { StateWriter } from './state-writer.js';

type AdamWNode = Extract<Node, { operation: 'updateAdamW' }>;

/**
 * Writes one AdamW update in place. With c the corrections, lr (m / c1) / (sqrt(v / c2) + e) is
 * (lr sqrt(c2) / c1) m / (sqrt(v) + e sqrt(c2)), which is TensorFlow's ResourceApplyAdam with powers of beta of zero.
 * The gradient is scaled in its own memory. The fused kernel does all of it in one pass.
 * @param after updates before this one: one by one, a single scaled gradient lives at a time
 * @returns the edge that waits for the update
 */
export function writeAdamW(
  writer: ProgramWriter,
  states: StateWriter,
  node: AdamWNode,
  after: readonly ControlEdge[],
): ControlEdge {
  const { parameter, gradient, firstMoment, secondMoment, beta1, beta2, epsilon, weightDecay } = node.attributes;
  const T = attribute.type('float32');
  const binary = (operation: string, a: Output, b: Output): Output => writer.add(operation, [a, b], { T });
  const [learningRate, gradientScale, correction1, correction2] = node.inputs.map((value: Value) =>
    writer.get(value),
  ) as [Output, Output, Output, Output];
  for (const state of [parameter, gradient, firstMoment, secondMoment]) states.ensure(state);
  const root = writer.add('Sqrt', [correction2], { T });
  const rate = binary('RealDiv', binary('Mul', learningRate, root), correction1);
  const closeToZero = binary('Mul', root, writer.float(epsilon));
  if (writer.hasKernels) {
    const decay = binary('Mul', learningRate, writer.float(weightDecay));
    const numbers = [rate, decay, writer.float(beta1), writer.float(beta2), closeToZero, gradientScale];
    const changed = [parameter, firstMoment, secondMoment];
    return states.changeInPlace(changed, 'MetaapoAdamW', [states.take(gradient, after), ...numbers]);
  }
  const scaled = binary('Mul', states.take(gradient, after), gradientScale);
  if (weightDecay !== 0) {
    const decay = binary('Mul', learningRate, writer.float(weightDecay));
    states.change(parameter, 'AssignSubVariableOp', [binary('Mul', states.value(parameter), decay)]);
  }
  const zero = writer.float(0);
  const constants = [zero, zero, rate, writer.float(beta1), writer.float(beta2)];
  const inputs = [...constants, closeToZero, scaled];
  const update = states.changeTogether([parameter, firstMoment, secondMoment], 'ResourceApplyAdam', inputs, { T });
  return controlEdge(update);
}
