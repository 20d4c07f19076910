import type { Node, Value } from '../../program/index.js';
import { type Attribute, attribute, type Output } from './graph-writer.js';
import type { ProgramWriter } from './program-writer.js';

/** Type attributes of the operations of the fused kernels, and the input or output whose type each is. */
const TYPES: Readonly<Record<string, Readonly<Record<string, number | 'output'>>>> = {
  RmsNorm: { X: 0, Y: 'output' },
  RmsNormGradient: { G: 0, X: 1 },
  GatedSilu: { X: 0, Y: 'output' },
  GatedSiluGradient: { G: 0, X: 1, Y: 'output' },
  Rotate: { X: 0, Y: 'output' },
  Losses: { X: 0 },
  Residual: { X: 0, Y: 'output' },
  Attention: { T: 0 },
  AttentionGradient: { T: 0 },
  CachedAttention: { T: 0, K: 1 },
  Draw: {},
};
const INTEGERS: ReadonlySet<string> = new Set(['heads', 'groups', 'window']);

function attributeOf(name: string, value: number | boolean): Attribute {
  if (typeof value === 'boolean') return attribute.boolean(value);
  return INTEGERS.has(name) ? attribute.integer(value) : attribute.float(value);
}

/** Writes the call of a fused kernel: an operation that the module of the kernels has registered. */
export function writeKernel(writer: ProgramWriter, node: Node): readonly Output[] {
  const { kernel, ...settings } = (node as Extract<Node, { operation: 'kernel' }>).attributes;
  const typeOf = (at: number | 'output'): Value => (at === 'output' ? node.outputs[0]! : node.inputs[at]!);
  const types = Object.entries(TYPES[kernel]!).map(([name, at]) => [name, attribute.type(typeOf(at).dtype)]);
  const others = Object.entries(settings).map(([name, value]) => [name, attributeOf(name, value)]);
  const attributes = Object.fromEntries([...types, ...others]) as Record<string, Attribute>;
  const inputs = node.inputs.map((value) => writer.get(value));
  const called = writer.add(`Metaapo${kernel}`, inputs, attributes);
  return node.outputs.map((_, index) => (index === 0 ? called : `${called}:${index}`));
}
