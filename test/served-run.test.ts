import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { interruptedMetaapo, metaapo, root, temporaryDirectory } from './support/metaapo.js';
import { availableServers, type ModelServer, startModelServer } from './support/model-server.js';
import { relinkCommand, SERVED_MODELS } from './support/served-models.js';

const transformers = SERVED_MODELS.find(({ server }) => server === 'transformers')!;
const isMissing = !availableServers().includes(transformers.server);
if (isMissing)
  console.log('skipped: runs that sample from a server; the Python that PYTHON names has no transformers serve');

const directory = temporaryDirectory();
const output = (name: string): string => join(directory, name);
const weightsOf = (name: string): Buffer => readFileSync(join(output(name), 'model', 'model.safetensors'));

describe.skipIf(isMissing)('metaapo run with a server', () => {
  let model: string;
  beforeAll(async () => {
    model = transformers.prepare(output('start'));
    await writePreferences(output('train.jsonl'), 32, 1);
    await writePreferences(output('test.jsonl'), 8, 2);
  });

  /** A run of two iterations; the server's link is in the environment, so that the recipe stays the same. */
  const argumentsFor = (name: string, { baseUrl, origin }: ModelServer): string[] => {
    const recipe = {
      model,
      output: output(name),
      sampler: {
        ...{ id: 'openai', baseUrls: [baseUrl], model: 'policy', maxNewTokens: 12, useN: false, concurrency: 1 },
        ...{ refresh: 'command', refreshCommand: relinkCommand(origin, '$SERVED_LINK') },
      },
      selection: { id: 'all' },
      rewardModel: { id: 'function', path: join(root, 'examples/quickstart/reward.mjs') },
      responsesPerPrompt: 2,
      evaluateRewards: 4,
      'data.train': output('train.jsonl'),
      'data.eval': output('test.jsonl'),
      'training.batchSize': 8,
      'training.learningRate': 3e-3,
    };
    const sets = Object.entries(recipe).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
    return ['run', join(root, 'examples/quickstart/recipe.yaml'), ...sets];
  };
  const serve = async (port?: string): Promise<ModelServer> => {
    const server = await startModelServer(model, transformers, port);
    onTestFinished(() => server.stop());
    return server;
  };
  const environmentFor = ({ link }: ModelServer) => ({ METAAPO_HOME: output('home'), SERVED_LINK: link });

  it('has each policy served, also when it goes on with a server that serves the start model', async () => {
    const first = await serve();
    const port = new URL(first.origin).port;
    const whole = metaapo(argumentsFor('whole', first), environmentFor(first));
    expect(whole.status, whole.stderr).toBe(0);
    expect(whole.stderr.match(/is not checked; it gives no log-probabilities/g)).toHaveLength(1);
    expect(readlinkSync(first.link)).toBe(join(output('whole'), 'iterations', '1', 'model'));
    await first.stop();

    const second = await serve(port);
    const stopped = await interruptedMetaapo(argumentsFor('stopped', second), /Iteration 2/, environmentFor(second));
    expect(stopped.status, stopped.stderr).toBe(130);
    await second.stop();

    const third = await serve(port);
    const resumed = metaapo([...argumentsFor('stopped', third), '--resume'], environmentFor(third));
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(weightsOf('stopped').equals(weightsOf('whole'))).toBe(true);
  });
});
