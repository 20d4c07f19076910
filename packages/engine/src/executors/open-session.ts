import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';
import { fusedKernels } from '../backends/fused-kernels.js';
import { type DataType, type KernelName, kernels } from '../program/index.js';
import { backendHasSessions, backendUsesGpu } from './compiled/native-sessions.js';
import { openCompiledSession } from './compiled/session.js';
import { whyNotXla } from './compiled/try-xla.js';
import type { Profile } from './eager/profile.js';
import { openEagerSession } from './eager/session.js';
import type { Executor, ProgramSet, Session } from './session.js';

/** An executor and why it was taken. */
export interface ExecutorChoice {
  readonly executor: Executor;
  readonly reason: string;
}

/**
 * The executor for the current TensorFlow.js backend: the wished one, or the best that the backend can run: `xla` on a GPU
 * where XLA works, `compiled` on native backends, else `eager`.
 * @throws MetaapoError with code `backend` when the backend cannot run the wished one
 */
export function chooseExecutor(wished: Executor | 'auto' = 'auto'): ExecutorChoice {
  const backend = tf.getBackend();
  if (wished === 'eager') return { executor: 'eager', reason: 'asked for' };
  if (backendHasSessions()) return wished === 'auto' ? bestOfNative() : requireXla(wished);
  if (wished === 'auto') return { executor: 'eager', reason: `${backend} runs single operations only` };
  throw new MetaapoError('backend', `The executor \`${wished}\` does not run on this backend`, {
    where: 'executor',
    expected: 'a native backend (tensorflow or tensorflow-gpu)',
    got: backend,
    remedy: 'Set `executor: auto`, or run `metaapo backend install`',
  });
}

function bestOfNative(): ExecutorChoice {
  if (!backendUsesGpu()) return { executor: 'compiled', reason: 'the backend runs whole graphs' };
  const failure = whyNotXla();
  if (failure === undefined) return { executor: 'xla', reason: 'XLA compiles the layers for the GPU' };
  return { executor: 'compiled', reason: `the backend runs whole graphs; XLA does not work here: ${failure}` };
}

function requireXla(executor: 'compiled' | 'xla'): ExecutorChoice {
  const failure = executor === 'xla' ? whyNotXla() : undefined;
  if (failure === undefined) return { executor, reason: 'asked for' };
  throw new MetaapoError('backend', 'The executor `xla` does not work here', {
    where: 'executor',
    got: failure,
    remedy: 'Set `executor: compiled`',
  });
}

/**
 * Whether an executor can replace and move rows of a state of this type on the current backend: TensorFlow's own operation
 * writes bfloat16 in place on CPUs only, and shaders of WebGPU do not.
 */
export function canWriteRows(dtype: DataType, executor: Executor): boolean {
  return dtype !== 'bfloat16' || executor === 'xla' || (executor === 'compiled' && !backendUsesGpu());
}

const ATTENTION: ReadonlySet<KernelName> = new Set(['Attention', 'AttentionGradient', 'CachedAttention']);
const NONE: ReadonlySet<KernelName> = new Set();

/** The fused kernels that programs of an executor may call on the current backend. */
export function kernelsOf(executor: Executor): ReadonlySet<KernelName> {
  if (executor === 'compiled' && fusedKernels() !== undefined) return kernels.ALL;
  // The other kernels' work becomes single shaders there by itself.
  return executor === 'eager' && tf.getBackend() === 'webgpu' ? ATTENTION : NONE;
}

/**
 * Opens programs in an executor.
 * @param profile told what each primitive costs; only the eager executor knows
 * @throws MetaapoError with code `backend` when the executor cannot run them: bfloat16 needs `compiled`, `xla` or WebGPU
 */
export function openSession(programs: ProgramSet, wished: Executor | 'auto' = 'auto', profile?: Profile): Session {
  const { executor, reason } = chooseExecutor(profile === undefined ? wished : 'eager');
  if (executor !== 'eager') return openCompiledSession(programs, { forXla: executor === 'xla' });
  if (usesBfloat16(programs) && tf.getBackend() !== 'webgpu') {
    throw new MetaapoError('backend', 'bfloat16 needs the executor `compiled` or `xla`, or the backend `webgpu`', {
      where: 'precision',
      expected: 'float32',
      got: `bfloat16 with the executor \`eager\` (${reason})`,
      remedy: 'Set `precision: float32`, or use a native backend (`metaapo backend install`) or `webgpu`',
    });
  }
  return openEagerSession(programs, profile);
}

function usesBfloat16(programs: ProgramSet): boolean {
  const isBfloat16 = ({ dtype }: { readonly dtype: string }): boolean => dtype === 'bfloat16';
  return Object.values(programs).some(({ nodes }) => nodes.some(({ outputs }) => outputs.some(isBfloat16)));
}
