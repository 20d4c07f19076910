import type { OptimizerStep } from '@metaapo/core/contracts';
import { z } from 'zod';
import {
  createRemoteModel,
  isLost,
  jsonRequest,
  type RemoteModel,
  type RemoteModelOptions,
} from '../service/remote-model.js';
import { readReply } from '../service/service.js';
import { finalError } from '../service/service-failure.js';
import type { Datum } from '../wire/wire.js';
import type { Connection, SubmittedPass } from './connection.js';
import type { ServerRules } from './server-rules.js';
import { chunksOf, type Loss, READING, type Update, updateData, updateLoss } from './update-request.js';

/** How a model on the service is held on to. */
export interface RemotePolicyOptions extends RemoteModelOptions {
  /** Updates after which the service is asked to keep the model's state. */
  readonly saveEvery: number;
  /** A checkpoint to begin with; default the base model with a new adapter. */
  readonly from?: string | undefined;
}

/**
 * A model on a service, as it would be on a service that never fails: every update is applied once. Where it is not known
 * whether one was, or the model is gone, a new model goes back to the last checkpoint, and what came since is done again,
 * from rows and gradients that are known.
 */
export interface RemotePolicy {
  /** Number that changes when the model does otherwise than by an update: when it is another one on the service. */
  readonly life: number;
  /** Updates so far, from where it began. */
  readonly updates: number;
  /** Does something with the model as it is now; repeated on its successor when the model is lost meanwhile. */
  use<Result>(work: (model: RemoteModel) => Promise<Result>): Promise<Result>;
  /** `[P + T - 1]` float32 log-probabilities of each datum. */
  read(data: Iterable<Datum>): Promise<readonly Float32Array[]>;
  /**
   * Applies an update, once.
   * @returns the norm of its gradient, where the service tells it; an update whose norm is not finite changes nothing
   */
  update(update: Update): Promise<number | undefined>;
  /** A checkpoint of the model as it is, with AdamW's moments. */
  checkpoint(): Promise<string>;
  /** Goes back to a checkpoint. */
  returnTo(path: string): Promise<void>;
  /** Gives the model back. */
  close(): Promise<void>;
}

const stepReply = z.object({ metrics: z.record(z.string(), z.unknown()).nullish() });

/** A policy or a reference on a service; the model is created with the first use. */
export function remotePolicy(
  connection: Connection,
  { saveEvery, from, ...options }: RemotePolicyOptions,
  rules: ServerRules | undefined,
): RemotePolicy {
  const { service } = connection;
  let model: RemoteModel | undefined;
  let base = from;
  let since: Update[] = [];
  let updates = 0;
  let life = 0;
  let turn: Promise<unknown> = Promise.resolve();

  const lose = async (): Promise<void> => {
    const lost = model;
    model = undefined;
    life += 1;
    await lost?.unload();
  };
  const restore = async (): Promise<RemoteModel> => {
    const fresh = await createRemoteModel(service, options);
    try {
      if (base !== undefined) await load(connection, fresh, base);
      // An adapter's start is drawn by the service: kept, so that it need not be drawn again.
      else if (rules !== undefined && options.rank > 0) base = (await connection.save(fresh, 'weights')).path;
      for (const update of since) await applyOnce(connection, rules!, fresh, update);
    } catch (error) {
      await fresh.unload();
      throw error;
    }
    model = fresh;
    return fresh;
  };
  const persist = async <Result>(
    work: (model: RemoteModel) => Promise<Result>,
    changesModel = false,
  ): Promise<Result> => {
    const patience = service.patience();
    for (;;) {
      try {
        return await work(model ?? (await restore()));
      } catch (error) {
        // What was submitted of an update may have been done in part.
        if (changesModel || isLost(error)) await lose();
        if (!isLost(error) || !(await patience.wait())) throw finalError(error);
      }
    }
  };
  /** One after another: a model that is restored is used by nobody else meanwhile. */
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = turn.then(work, work);
    turn = result.catch(() => undefined);
    return result;
  };
  const keep = async (): Promise<string> => {
    if (since.length === 0 && base !== undefined) return base;
    const { path } = await persist((current) => connection.save(current, 'weights'));
    base = path;
    since = [];
    return path;
  };
  return {
    get life() {
      return life;
    },
    get updates() {
      return updates;
    },
    use: (work) => inTurn(() => persist(work)),
    read: (data) => inTurn(() => persist((current) => passesOver(connection, current, [...data], READING))),
    update: (update) =>
      inTurn(async () => {
        const norm = await persist((current) => applyOnce(connection, rules!, current, update), true);
        if (norm !== undefined && !Number.isFinite(norm)) {
          await lose();
          return norm;
        }
        since.push(update);
        updates += 1;
        if (since.length >= saveEvery) await keep();
        return norm;
      }),
    checkpoint: () => inTurn(keep),
    returnTo: (path) =>
      inTurn(async () => {
        await lose();
        base = path;
        since = [];
        await persist(async () => undefined);
      }),
    close: () => inTurn(lose),
  };
}

/** A checkpoint in a model that nothing else was asked of. */
async function load({ service, repeats }: Connection, model: RemoteModel, path: string): Promise<void> {
  const make = (sequence: number) =>
    jsonRequest('load_weights', { model_id: model.id, path, optimizer: true, seq_id: sequence, type: 'load_weights' });
  await service.resultOf(await model.submit(make, { repeats, isHarmless: true }));
}

/** Log-probabilities of data, in as many requests as it takes; the next one is built while the service works. */
async function passesOver(
  connection: Connection,
  model: RemoteModel,
  data: readonly Datum[],
  loss: Loss,
): Promise<readonly Float32Array[]> {
  const passes = [];
  for (const chunk of chunksOf(data, connection.wire, connection.limits)) {
    passes.push(await connection.submitPass(model, chunk, loss));
  }
  const logprobs: Float32Array[] = [];
  for (const pass of passes) logprobs.push(...(await pass.read()).logprobs);
  return logprobs;
}

/** No gradient at all: AdamW moves by its moments alone. */
const NOTHING: Update['passes'] = [
  {
    groups: [{ prompt: Int32Array.of(0), responses: [Int32Array.of(0)] }],
    gradient: { perResponse: Float32Array.of(0) },
  },
];

/** An update on a model that has none of it; the caller gives the model up when it fails. */
async function applyOnce(
  connection: Connection,
  rules: ServerRules,
  model: RemoteModel,
  { passes, step }: Update,
): Promise<number | undefined> {
  const update = { passes: passes.length === 0 ? NOTHING : passes, step };
  const data = updateData(update, rules);
  const { passes: submitted, norm } = await submitStep(connection, model, { data, loss: updateLoss(rules), step });
  for (const pass of submitted) await pass.done();
  return norm();
}

/** An optimizer step that the service has accepted, with the passes before it. */
export interface SubmittedStep {
  readonly passes: readonly SubmittedPass[];
  /** Waits for the step; the norm of its gradient, where the service tells it. */
  norm(): Promise<number | undefined>;
}

/** The gradient of data and an optimizer step, all submitted before anything is waited for. */
export async function submitStep(
  connection: Connection,
  model: RemoteModel,
  { data, loss, step }: { readonly data: Iterable<Datum>; readonly loss: Loss; readonly step: OptimizerStep },
): Promise<SubmittedStep> {
  const { service, repeats } = connection;
  const submitted = [];
  for (const chunk of chunksOf(data, connection.wire, connection.limits)) {
    submitted.push(await connection.submitPass(model, chunk, loss));
  }
  const adam = {
    learning_rate: step.learningRate,
    beta1: step.beta1,
    beta2: step.beta2,
    eps: step.epsilon,
    weight_decay: step.weightDecay,
    grad_clip_norm: step.maxGradNorm ?? 0,
  };
  const make = (sequence: number) =>
    jsonRequest('optim_step', { model_id: model.id, adam_params: adam, seq_id: sequence, type: 'optim_step' });
  const stepId = await model.submit(make, { repeats, isHarmless: false });
  return {
    passes: submitted,
    norm: async () => normIn(readReply(service, 'optim_step', await service.resultOf(stepId), stepReply).metrics ?? {}),
  };
}

/** The gradient's norm among metrics, whatever stands before and behind its name. */
function normIn(metrics: Readonly<Record<string, unknown>>): number | undefined {
  const told = Object.entries(metrics).find(([name]) => /(^|[./])grad_norm(:|$)/.test(name))?.[1];
  return typeof told === 'number' ? told : undefined;
}
