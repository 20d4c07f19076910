import { MetaapoError, type OptimizerStep } from '@metaapo/core/contracts';
import type { RemoteModel } from '../service/remote-model.js';
import type { Datum, PassResult } from '../wire/wire.js';
import type { Connection } from './connection.js';
import { submitStep } from './remote-policy.js';
import { SERVER_RULES, type ServerKind, type ServerRules } from './server-rules.js';
import { READING } from './update-request.js';

/** An update that moves nothing: its gradient's norm is looked at. */
const IDLE: OptimizerStep = { learningRate: 0, step: 1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };

/** Two sequences of equal length, so that a service that compiles for shapes compiles for one. */
function probeData(vocabularySize: number, weight: number): Datum[] {
  const ids = (...all: number[]): Int32Array => Int32Array.from(all, (id) => id % vocabularySize);
  const fields = { weights: { scale: weight } };
  return [
    { prompt: ids(1, 2, 3), response: ids(2, 3, 1, 2), fields },
    { prompt: ids(3, 1, 2), response: ids(1, 1, 3, 2), fields },
  ];
}

/**
 * Finds what the service makes of numbers that come twice, on a model that is thrown away; by the way, how it takes passes.
 */
export async function findRepeats(connection: Connection, model: RemoteModel, vocabularySize: number): Promise<void> {
  const data = probeData(vocabularySize, 1);
  await (await connection.submitPass(model, data, READING)).read();
  connection.repeats = await model.submitTwice((sequence) =>
    connection.wire.encodePass({ modelId: model.id, sequence, data, ...READING }),
  );
}

/**
 * Finds of which kind a service is by the metrics of its passes, and whether it reduces losses as that kind does: a weight of 2
 * gives twice the gradient of 1, or the same.
 * @throws MetaapoError with code `config` when it is none that is known
 */
export async function findRules(
  connection: Connection,
  model: RemoteModel,
  vocabularySize: number,
): Promise<ServerRules> {
  const loss = { lossName: 'cross_entropy', isForwardOnly: false };
  const probe = async (weight: number): Promise<Probe> => {
    const data = probeData(vocabularySize, weight);
    const { passes, norm } = await submitStep(connection, model, { data, loss, step: IDLE });
    return { pass: await passes[0]!.read(), gradientNorm: await norm() };
  };
  const [one, two] = [await probe(1), await probe(2)];
  const kind = kindOf(one.pass.metrics);
  const reduction = reductionOf(one, two);
  if (kind !== undefined && SERVER_RULES[kind].reduction === reduction) return SERVER_RULES[kind];
  throw new MetaapoError('config', 'it is not known what this service computes', {
    where: 'model tinker, server',
    expected: 'skyrl-jax, skyrl-train or tinker, by what a pass tells and by how gradients grow with weights',
    got: `metrics ${Object.keys(one.pass.metrics).join(', ') || 'none'}; reduction ${reduction ?? 'unknown'}`,
    remedy: 'Name the kind that it computes like in the recipe: model.server',
  });
}

interface Probe {
  readonly gradientNorm: number | undefined;
  readonly pass: PassResult;
}

function kindOf(metrics: Readonly<Record<string, number>>): ServerKind | undefined {
  if ('total_loss:sum' in metrics) return 'skyrl-train';
  if ('loss:sum' in metrics) return 'tinker';
  return Object.keys(metrics).length === 0 ? 'skyrl-jax' : undefined;
}

function reductionOf(one: Probe, two: Probe): ServerRules['reduction'] | undefined {
  const ratio = (two.gradientNorm ?? Number.NaN) / (one.gradientNorm ?? Number.NaN);
  if (Math.abs(ratio - 2) < 0.1) return 'sum';
  if (Math.abs(ratio - 1) < 0.1) return 'sequence-mean';
  // A service without norms tells its losses.
  const told = two.pass.metrics['loss:sum'] ?? Number.NaN;
  const sum = two.pass.logprobs.reduce((all, values) => all + values.subarray(2).reduce((a, b) => a + b, 0), 0);
  return Math.abs(told + 2 * sum) <= 0.02 * Math.abs(told) ? 'sum' : undefined;
}
