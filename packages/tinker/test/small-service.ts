import { adapterArchive } from './tiny-archive.js';
import {
  addTinyGradient,
  type TinyAdam,
  type TinyDatum,
  type TinyState,
  tinyLogprobs,
  tinyResponse,
  tinyStart,
  tinyUpdate,
  tinyWeights,
} from './tiny-model.js';

/** What a small service computes like. */
export interface SmallServiceOptions {
  readonly kind: 'skyrl-jax' | 'skyrl-train' | 'tinker';
  /** What it makes of a number that comes twice for a model. */
  readonly repeats: 'kept' | 'ignored' | 'refused';
  readonly vocabulary: number;
  /** Models that it holds at a time; default 100. */
  readonly maxModels?: number | undefined;
  /** True: the id that ends a response is left out of it, as some servers do. */
  readonly leavesOutEnd?: boolean | undefined;
  /** Sequences of one request at most; default 4. */
  readonly chunk?: number | undefined;
}

/** An answer: a status and its JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What a request asks for, however it was written. */
export interface SmallRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Model {
  state: TinyState;
  gradient: Float64Array;
  /** Sequences since the last update. */
  sequences: number;
  /** Names of checkpoints that were asked for. */
  readonly names: Set<string>;
  readonly requests: Map<number, { readonly key: string; readonly id: string }>;
  isUsed: boolean;
}

/** Results of passes stay numbers, so that they can be written in every form. */
export type Outcome =
  | {
      readonly kind: 'pass';
      readonly logprobs: readonly number[][];
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'samples'; readonly sequences: readonly ReturnType<typeof tinyResponse>[] }
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'failed'; readonly told: string };

/** AdamW of a service that takes the learning rate alone. */
const OWN: Omit<TinyAdam, 'learning_rate'> = {
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weight_decay: 0.01,
  grad_clip_norm: 1,
};

/**
 * A service that trains a tiny model, as small as one can be that computes what it says: reductions, AdamW, clipping,
 * checkpoints, numbers of requests, models that are gone after a restart.
 */
export function smallService({
  kind,
  repeats,
  vocabulary,
  maxModels = 100,
  chunk = 4,
  leavesOutEnd = false,
}: SmallServiceOptions) {
  const models = new Map<string, Model>();
  const known = new Set<string>();
  const checkpoints = new Map<string, TinyState>();
  const outcomes = new Map<string, Outcome>();
  let ids = 0;
  let passes = 0;

  const keep = (outcome: Outcome): string => {
    const id = String(++ids);
    outcomes.set(id, outcome);
    return id;
  };
  const accepted = (id: string, more: object = {}): Answer => ({ status: 200, body: { request_id: id, ...more } });
  const modelOf = (body: SmallRequest['body']): Model | undefined => models.get(String(body.model_id));

  const pass = (model: Model, data: readonly TinyDatum[], { loss, config, isForwardOnly }: PassSettings): Outcome => {
    passes += 1;
    const logprobs = data.map((datum) => tinyLogprobs(model.state, datum));
    let total = 0;
    if (!isForwardOnly) {
      for (const [index, datum] of data.entries()) {
        const factors = tinyWeights(model.state, datum, loss, config);
        total += factors.reduce((sum, factor, at) => sum + factor * logprobs[index]![at]!, 0);
        const weights = (datum.inputs.weights ?? []).reduce((sum, weight) => sum + weight, 0);
        const divisor = kind === 'skyrl-jax' ? Math.max(weights, 1e-9) : 1;
        addTinyGradient(
          model.state,
          model.gradient,
          datum,
          factors.map((factor) => factor / divisor),
        );
      }
      model.sequences += data.length;
    }
    const metrics: Record<string, number> =
      kind === 'skyrl-jax' ? {} : kind === 'skyrl-train' ? { 'total_loss:sum': total } : { 'loss:sum': total };
    return { kind: 'pass', logprobs, metrics };
  };
  const optimStep = (model: Model, adam: TinyAdam): Outcome => {
    const divisor = kind === 'skyrl-jax' ? Math.max(model.sequences, 1) : 1;
    const settings =
      kind === 'skyrl-train'
        ? { ...OWN, learning_rate: adam.learning_rate }
        : kind === 'skyrl-jax'
          ? { ...adam, grad_clip_norm: 0 }
          : adam;
    const { state, norm } = tinyUpdate(
      model.state,
      model.gradient.map((value) => value / divisor),
      settings,
    );
    if (Number.isFinite(norm) || kind !== 'skyrl-train') model.state = state;
    model.gradient.fill(0);
    model.sequences = 0;
    return { kind: 'json', body: { metrics: { 'skyrl.ai/grad_norm': norm } } };
  };
  const save = (model: Model, id: string, name: string, folder: string): Outcome => {
    const path = `tinker://${id}/${folder}${name}`;
    checkpoints.set(path, model.state);
    return { kind: 'json', body: { path } };
  };
  const sample = (body: SmallRequest['body']): Outcome => {
    const path = String(body.model_path);
    const state = checkpoints.get(path);
    const model = models.get(/^tinker:\/\/([^/]+)/.exec(path)?.[1] ?? '');
    if (state === undefined || model === undefined) return { kind: 'failed', told: `Model of ${path} not loaded` };
    // As SkyRL's jax backend does: what is drawn from takes the place of what is trained.
    if (kind === 'skyrl-jax') model.state = { ...model.state, logits: state.logits };
    const { chunks } = body.prompt as { chunks: readonly { tokens: readonly number[] }[] };
    const { seed, temperature, max_tokens, stop = [] } = body.sampling_params as SamplingParams;
    const last = chunks.at(-1)!.tokens.at(-1)!;
    const sequences = Array.from({ length: Number(body.num_samples) }, (_, index) =>
      tinyResponse(state, last, { seed: seed * 1000 + index, temperature, most: max_tokens, stop }),
    );
    if (!leavesOutEnd) return { kind: 'samples', sequences };
    const cut = <Value>(values: readonly Value[]): Value[] => values.slice(0, -1);
    return {
      kind: 'samples',
      sequences: sequences.map(({ tokens, logprobs, ...rest }) => ({
        ...rest,
        tokens: cut(tokens),
        logprobs: cut(logprobs),
      })),
    };
  };
  /** What a request of a model comes to. */
  const work = (model: Model, { path, body }: SmallRequest): Outcome => {
    if (path === 'forward' || path === 'forward_backward') {
      const { data, ...settings } = body.pass as PassSettings & { readonly data: readonly TinyDatum[] };
      return pass(model, data, settings);
    }
    if (path === 'optim_step') return optimStep(model, body.adam_params as TinyAdam);
    if (path === 'save_weights') return save(model, String(body.model_id), String(body.path), 'weights/');
    if (path === 'save_weights_for_sampler') return save(model, String(body.model_id), String(body.path), '');
    const state = checkpoints.get(String(body.path));
    if (state === undefined) return { kind: 'failed', told: `Checkpoint ${body.path} does not exist` };
    model.state = state;
    return { kind: 'json', body: { path: body.path } };
  };
  const submit = (request: SmallRequest): Answer => {
    const { path, body } = request;
    if (!known.has(String(body.model_id))) return { status: 404, body: { detail: 'Model not found' } };
    const model = modelOf(body);
    if (model === undefined) return accepted(keep({ kind: 'failed', told: `Model ${body.model_id} not loaded` }));
    const sequence = Number(body.seq_id);
    const key = JSON.stringify([path, body]);
    const earlier = model.requests.get(sequence);
    if (earlier !== undefined && repeats !== 'ignored') {
      return repeats === 'kept' && earlier.key === key
        ? accepted(earlier.id)
        : { status: 409, body: { detail: 'Training request sequence number was reused' } };
    }
    if (path === 'load_weights' && model.isUsed && repeats === 'kept') {
      return { status: 400, body: { detail: 'LoadWeights is not permitted' } };
    }
    if (path.startsWith('save_')) {
      const name = `${path} ${body.path}`;
      if (model.names.has(name)) return { status: 409, body: { detail: `Checkpoint '${body.path}' already exists` } };
      model.names.add(name);
    }
    model.isUsed = true;
    const id = keep(work(model, request));
    model.requests.set(sequence, { key, id });
    return accepted(id);
  };
  const create = (): Answer => {
    const id = `model_${++ids}`;
    known.add(id);
    if (models.size >= maxModels) {
      return accepted(keep({ kind: 'failed', told: `Maximum number of models (${maxModels}) reached` }), {
        model_id: id,
      });
    }
    const state = tinyStart(vocabulary);
    const fresh = { sequences: 0, names: new Set<string>(), requests: new Map(), isUsed: false };
    models.set(id, { state, gradient: new Float64Array(state.logits.length), ...fresh });
    return accepted(keep({ kind: 'json', body: {} }), { model_id: id });
  };
  return {
    /** Updates of a model that is there, those of the checkpoint that it was loaded from included. */
    updatesOf: (id: string): number | undefined => models.get(id)?.state.steps,
    /** Passes that were asked for so far. */
    passes: (): number => passes,
    /** Ids of the models that are there. */
    modelIds: (): readonly string[] => [...models.keys()],
    outcomeOf: (id: string): Outcome | undefined => outcomes.get(id),
    /** The archive of a checkpoint, by model and name. */
    archiveOf(model: string, name: string): Buffer | undefined {
      const state = checkpoints.get(`tinker://${model}/${name}`);
      return state && adapterArchive(Float32Array.from(state.logits));
    },
    /** All models are gone, as after a crash or when their session has expired. */
    restart: (): void => models.clear(),
    answer({ path, body }: SmallRequest): Answer {
      if (path === 'create_session') return { status: 200, body: { session_id: `session_${++ids}` } };
      if (path === 'session_heartbeat') return { status: 200, body: {} };
      if (path === 'client/config') return { status: 200, body: { fwdbwd_max_chunk_len: chunk } };
      if (path === 'create_model') return create();
      if (path === 'unload_model') {
        const isThere = models.delete(String(body.model_id));
        return accepted(keep(isThere ? { kind: 'json', body: {} } : { kind: 'failed', told: 'Model not found' }));
      }
      return path === 'asample' ? accepted(keep(sample(body))) : submit({ path, body });
    },
  };
}

interface PassSettings {
  readonly loss: string;
  readonly config: Readonly<Record<string, number>>;
  readonly isForwardOnly: boolean;
}

interface SamplingParams {
  readonly seed: number;
  readonly temperature: number;
  readonly max_tokens: number;
  readonly stop?: readonly number[];
}
