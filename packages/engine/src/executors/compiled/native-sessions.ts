import { MetaapoError } from '@metaapo/core/contracts';
import * as tf from '@tensorflow/tfjs';

/** The part of tfjs-node's backend that loads SavedModels and runs them. */
interface SessionBackend {
  readonly binding: { readonly loadSavedModel?: unknown };
  readonly isUsingGpuDevice?: boolean;
  loadSavedModelMetaGraph(directory: string, tags: string): number;
  runSavedModel(
    id: number,
    inputs: readonly tf.Tensor[],
    inputInformation: readonly { readonly name: string }[],
    outputNames: readonly string[],
  ): tf.Tensor[];
  deleteSavedModel(id: number): void;
}

/** A graph in a TensorFlow session of its own. */
export interface NativeSession {
  /**
   * Runs the part of the graph that leads to the outputs.
   * @param feeds tensors (borrowed) by the output they replace: `node:0`
   * @returns tensors in the order of `fetches`; owned by the caller
   * @throws Error of the runtime
   */
  run(feeds: ReadonlyMap<string, tf.Tensor>, fetches: readonly string[]): tf.Tensor[];
  /** Ends the session and frees its variables. */
  dispose(): void;
}

/** True when the current TensorFlow.js backend runs graphs in TensorFlow sessions. */
export function backendHasSessions(): boolean {
  const backend = tf.backend() as unknown as Partial<SessionBackend>;
  return typeof backend.binding?.loadSavedModel === 'function';
}

/** True when the current TensorFlow.js backend computes on a GPU. */
export function backendUsesGpu(): boolean {
  return (tf.backend() as unknown as Partial<SessionBackend>).isUsingGpuDevice === true;
}

/**
 * Loads the SavedModel of a directory into a session of the current backend.
 * @throws MetaapoError with code `backend` when the backend has no sessions
 */
export function loadNativeSession(directory: string): NativeSession {
  if (!backendHasSessions()) {
    throw new MetaapoError('backend', 'This backend cannot run compiled programs', {
      where: `backend ${tf.getBackend()}`,
      expected: 'tensorflow or tensorflow-gpu',
      remedy: "Use the executor 'eager', or select a native backend (`metaapo backend install`)",
    });
  }
  const backend = tf.backend() as unknown as SessionBackend;
  const id = backend.loadSavedModelMetaGraph(directory, 'serve');
  let isOpen = true;
  return {
    run(feeds, fetches) {
      const names = [...feeds.keys()].map((name) => ({ name }));
      return backend.runSavedModel(id, [...feeds.values()], names, fetches);
    },
    dispose() {
      if (isOpen) backend.deleteSavedModel(id);
      isOpen = false;
    },
  };
}
