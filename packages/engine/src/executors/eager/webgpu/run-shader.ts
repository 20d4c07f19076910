import * as tf from '@tensorflow/tfjs';

/** What a shader reads beside its tensors, by name: integers, and floats where the number is wrapped. */
export type Uniforms = Readonly<Record<string, number | { readonly float: number }>>;

/** A compute shader in WGSL, as TensorFlow.js' WebGPU backend runs it. */
export interface Shader {
  /** Tells shaders apart: two with the same name have the same code. */
  readonly name: string;
  /** Names of the buffers that it reads, one an input; `result` is the one that it writes. */
  readonly inputs: readonly string[];
  readonly uniforms: Uniforms;
  /** Threads of a workgroup; default 64. */
  readonly workgroupSize?: number;
  /** How often it runs: once a thread, or once a workgroup (`groups`). */
  readonly runs: { readonly threads: number } | { readonly groups: number };
  /** Writes functions and `fn compute(index : i32)`, told the index of the thread, or of the workgroup; once a name. */
  readonly code: () => string;
}

interface TensorInformation {
  readonly dataId: object;
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

/** The part of TensorFlow.js' WebGPU backend that runs shaders. */
interface ShaderBackend {
  makeTensorInfo(shape: readonly number[], dtype: tf.DataType): TensorInformation;
  runWebGPUProgram(
    program: object,
    inputs: readonly TensorInformation[],
    dtype: tf.DataType,
    uniforms: readonly { readonly type: string; readonly data: readonly number[] }[],
    output: TensorInformation,
  ): TensorInformation;
  refCount(dataId: object): number;
  disposeData(dataId: object): boolean;
}

const backend = (): ShaderBackend => tf.backend() as unknown as ShaderBackend;
/** All shaders see plain rows of numbers, so that one compiled pipeline serves every shape. */
const flat = ({ dataId, size, dtype }: tf.Tensor): TensorInformation => ({ dataId, shape: [size], dtype });

/**
 * What a shader computes of its inputs (borrowed).
 * @returns a new tensor, owned
 */
export function runShader(
  shader: Shader,
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  dtype: 'float32' | 'int32' | 'bool' = 'float32',
): tf.Tensor {
  const size = tf.util.sizeFromShape([...shape]);
  const output = backend().makeTensorInfo([size], dtype);
  try {
    run(shader, inputs, output);
  } catch (error) {
    backend().disposeData(output.dataId);
    throw error;
  }
  return tf.engine().makeTensorFromTensorInfo({ dataId: output.dataId, shape: [...shape], dtype });
}

/**
 * Runs a shader over the numbers of a tensor, which it changes in place.
 * @param owned handed over; copied first where others hold the same numbers
 * @returns the tensor with its new numbers, owned
 */
export function runShaderInPlace(shader: Shader, inputs: readonly tf.Tensor[], owned: tf.Tensor): tf.Tensor {
  const target = exclusive(owned);
  run(shader, inputs, flat(target));
  return target;
}

function exclusive(owned: tf.Tensor): tf.Tensor {
  if (backend().refCount(owned.dataId) === 1) return owned;
  const copy = tf.tidy(() => tf.add(owned, 0));
  owned.dispose();
  return copy;
}

function run(shader: Shader, inputs: readonly tf.Tensor[], output: TensorInformation): void {
  const { name, uniforms, workgroupSize = 64, runs, code } = shader;
  const isThread = 'threads' in runs;
  const program = {
    variableNames: [...shader.inputs],
    uniforms: Object.entries(uniforms)
      .map(([key, value]) => `${key} : ${typeof value === 'number' ? 'i32' : 'f32'}`)
      .join(', '),
    outputShape: [...output.shape],
    workgroupSize: [workgroupSize, 1, 1],
    dispatchLayout: { x: [0] },
    dispatch: [isThread ? Math.ceil(runs.threads / workgroupSize) : runs.groups, 1, 1],
    shaderKey: `metaapo ${name}`,
    getUserCode: () => `${code()}${isThread ? PER_THREAD : PER_WORKGROUP}`,
  };
  const values = Object.values(uniforms).map((value) =>
    typeof value === 'number' ? { type: 'int32', data: [value] } : { type: 'float32', data: [value.float] },
  );
  backend().runWebGPUProgram(program, inputs.map(flat), output.dtype, values, output);
}

/** A buffer that no code names would be missing where the backend binds all: hence the uniform that is read for nothing. */
const PER_THREAD = `
  fn main(index : i32) {
    _ = uniforms.NAN;
    compute(index);
  }
`;

/** More workgroups than fit in one dimension are spread over three. */
const PER_WORKGROUP = `
  fn main(index : i32) {
    _ = uniforms.NAN;
    compute(i32((workgroupId.z * numWorkgroups.y + workgroupId.y) * numWorkgroups.x + workgroupId.x));
  }
`;
