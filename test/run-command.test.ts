import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePreferences } from '../examples/quickstart/write-preferences.js';
import { interruptedMetaapo, metaapo, quickstartModel, root, temporaryDirectory } from './support/metaapo.js';

const directory = temporaryDirectory();
const env = { METAAPO_HOME: join(directory, 'home') };
const output = (name: string): string => join(directory, name);

const RECIPE: Readonly<Record<string, unknown>> = {
  model: quickstartModel,
  'data.train': output('train.jsonl'),
  'data.eval': output('test.jsonl'),
  rewardModel: { id: 'function', path: join(root, 'examples/quickstart/reward.mjs') },
  evaluateRewards: 8,
  'training.batchSize': 8,
};

function argumentsFor(name: string, settings: Readonly<Record<string, unknown>> = {}): string[] {
  const recipe = { ...RECIPE, output: output(name), ...settings };
  const sets = Object.entries(recipe).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  return ['run', join(root, 'examples/quickstart/recipe.yaml'), ...sets];
}

interface Summary {
  readonly rows: number;
  readonly selected: number;
  readonly steps: number;
  readonly annotations: { readonly done: number; readonly ofAll: number };
  readonly pairs: Readonly<Record<string, number>>;
}

const journalOf = (name: string): readonly { kind: string; key?: string; summary?: Summary }[] =>
  readFileSync(join(output(name), 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const summariesOf = (name: string): readonly Summary[] =>
  journalOf(name).flatMap(({ kind, summary }) => (kind === 'iteration' ? [summary!] : []));
const weightsOf = (name: string): Buffer => readFileSync(join(output(name), 'model', 'model.safetensors'));

function run(name: string, settings: Readonly<Record<string, unknown>> = {}) {
  const result = metaapo(argumentsFor(name, settings), env);
  expect(result.status, result.stderr).toBe(0);
  return result;
}

beforeAll(async () => {
  await writePreferences(output('train.jsonl'), 60, 1);
  await writePreferences(output('test.jsonl'), 16, 2);
});

describe('metaapo run', () => {
  it('annotates a share of the prompts, trains, and leaves a complete run directory', () => {
    const { stdout } = run('whole');
    expect(stdout).toMatch(/\d+ reward calls instead of 240: \d+\.\d % saved/);
    for (const file of ['recipe.yaml', 'metrics.jsonl', 'journal.jsonl', 'meta-learner.safetensors', 'report.html']) {
      expect(existsSync(join(output('whole'), file)), file).toBe(true);
    }
    const summaries = summariesOf('whole');
    expect(summaries.map(({ rows }) => rows)).toEqual([30, 30]);
    const entries = journalOf('whole');
    const selected = summaries.reduce((sum, one) => sum + one.selected, 0);
    expect(entries.filter(({ kind }) => kind === 'responses')).toHaveLength(selected);
    const keys = entries.flatMap(({ kind, key }) => (kind === 'rewards' ? [key] : []));
    expect(new Set(keys).size).toBe(keys.length);
    expect(stdout).toMatch(/Of \d+ responses: \d+ cut at the limit, \d+ without text, 0 without a readable reward/);
    expect(stdout).toMatch(/\d+ annotated rows without an online pair: \d+ equal rewards, \d+ equal texts/);
    const metrics = readFileSync(join(output('whole'), 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const counted = metrics.map((line) => JSON.parse(line)).filter((line) => 'pairs/made' in line);
    expect(counted.map((line) => line['pairs/made'])).toEqual(summaries.map(({ pairs }) => pairs.pairs));
  });

  it('asks the policy in the place of the reference that it begins as, and comes to the same weights', () => {
    run('referred', { reference: quickstartModel });
    expect(weightsOf('referred').equals(weightsOf('whole'))).toBe(true);
    // A line's checksum is of its number too, and rewards come in more or fewer lines.
    const scored = (name: string): unknown =>
      journalOf(name).flatMap((entry) => (entry.kind === 'scores' ? [{ ...entry, check: undefined }] : []));
    expect(scored('referred')).toEqual(scored('whole'));
  });

  it('goes on after Ctrl-C to the same weights', async () => {
    const stopped = await interruptedMetaapo(argumentsFor('stopped'), /Iteration 2/, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    const resumed = metaapo([...argumentsFor('stopped'), '--resume'], env);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(weightsOf('stopped').equals(weightsOf('whole'))).toBe(true);
    expect(summariesOf('stopped').map(({ selected }) => selected)).toEqual(
      summariesOf('whole').map(({ selected }) => selected),
    );
  });

  it('shows what a resumed recipe changed, and refuses it unless that is allowed', () => {
    const changed = metaapo([...argumentsFor('whole', { 'training.learningRate': 0.5 }), '--resume'], env);
    expect(changed.status).toBe(2);
    expect(changed.stderr).toMatch(/training\.learningRate: 0\.0001 -> 0\.5/);
    const args = [...argumentsFor('whole', { 'training.learningRate': 0.5 }), '--resume', '--allow-changes'];
    const allowed = metaapo(args, env);
    expect(allowed.status, allowed.stderr).toBe(0);
    expect(allowed.stderr).toContain('changed: training.learningRate: 0.0001 -> 0.5');
  });

  it('runs with no prompt selected, and with all', () => {
    run('none', { selection: { id: 'none' }, iterations: 1 });
    expect(summariesOf('none')).toMatchObject([{ selected: 0, annotations: { done: 0, ofAll: 240 } }]);
    run('all', { selection: { id: 'all' }, iterations: 1 });
    expect(summariesOf('all')).toMatchObject([{ selected: 60, annotations: { done: 240 } }]);
  });

  it('prefers the best response to the offline one, which it annotates as well', () => {
    run('best', { pairs: { id: 'best-of-n' }, selection: { id: 'all' }, budget: { rewardCalls: 50 }, iterations: 1 });
    const [{ selected, annotations, pairs }] = summariesOf('best') as [Summary];
    expect(selected).toBe(10);
    expect(annotations).toEqual({ done: expect.any(Number), ofAll: 300 });
    expect(annotations.done).toBeLessThanOrEqual(50);
    expect(pairs.pairs! + pairs.tie! + pairs.duplicates! + pairs['too-few']! + pairs['not-better']!).toBe(10);
  });

  it('samples the reference too, goes on after Ctrl-C to the same weights, and plans for both', async () => {
    const both = { responsesFrom: 'both', selection: { id: 'all' }, 'data.maxRows': 12 };
    run('both', both);
    const drawn = journalOf('both').filter(({ kind }) => kind === 'responses');
    expect(drawn).toHaveLength(24);
    expect(drawn.filter((entry) => 'source' in entry)).toHaveLength(12);
    expect(summariesOf('both').map(({ annotations }) => annotations.ofAll)).toEqual([48, 48]);
    const stopped = await interruptedMetaapo(argumentsFor('both-stopped', both), /Iteration 2/, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    const resumed = metaapo([...argumentsFor('both-stopped', both), '--resume'], env);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(weightsOf('both-stopped').equals(weightsOf('both'))).toBe(true);
    const planned = metaapo([...argumentsFor('both-planned', both), '--dry-run'], env);
    expect(planned.stdout).toContain('At most 12 prompts are sampled: 96 responses and reward calls');
  });

  it('refuses to sample the reference from servers, which serve the policy', () => {
    const sampler = { id: 'openai', baseUrls: ['http://127.0.0.1:9/v1'], model: 'policy', maxNewTokens: 8 };
    const refused = metaapo(argumentsFor('served', { responsesFrom: 'both', sampler }), env);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('draws from the policy alone') });
  });

  it('leaves unselected rows out when the recipe says so, also when none are left', () => {
    const { stderr } = run('dropped', { selection: { id: 'none' }, unselected: 'drop', iterations: 1 });
    expect(summariesOf('dropped')).toMatchObject([{ rows: 60, selected: 0, steps: 0 }]);
    expect(stderr).not.toContain('train 1/');
  });

  it('runs with fewer rows than a batch', () => {
    run('few', { 'data.maxRows': 3, iterations: 1 });
    expect(summariesOf('few')).toMatchObject([{ rows: 3, steps: 1 }]);
  });

  it('goes on in a directory without being told the recipe, and with the recipe as it was', async () => {
    const stopped = await interruptedMetaapo(argumentsFor('directory', { iterations: 1 }), /train 1\//, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    const resumed = metaapo(['run', '--resume', output('directory')], env);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(summariesOf('directory')).toHaveLength(1);
    const nowhere = metaapo(['run', '--resume', directory], env);
    expect(nowhere).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no run to go on with') });
  });

  it('is not begun over one that was stopped before its first step, nor resumed with other data', async () => {
    const stopped = await interruptedMetaapo(argumentsFor('early', { iterations: 1 }), /Iteration 1/, env);
    expect(stopped.status, stopped.stderr).toBe(130);
    expect(existsSync(join(output('early'), 'metrics.jsonl'))).toBe(false);
    const again = metaapo(argumentsFor('early', { iterations: 1 }), env);
    expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining('already holds a run') });
    const rows = readFileSync(output('train.jsonl'), 'utf8').split('\n');
    writeFileSync(output('other.jsonl'), rows.slice(1).join('\n'));
    const others = { iterations: 1, 'data.train': output('other.jsonl') };
    const refused = metaapo([...argumentsFor('early', others), '--resume'], env);
    expect(refused.stderr).toMatch(/data\.train: .*other\.jsonl/);
    rmSync(join(output('early'), 'recipe.yaml'));
    const refusedByKey = metaapo([...argumentsFor('early', others), '--resume'], env);
    expect(refusedByKey.status).toBe(2);
    expect(refusedByKey.stderr).toMatch(/not what the run was started with.*the training rows/);
  });

  it('shows a changed backend or executor of a resumed run as a change that moves bits', () => {
    const changed = metaapo([...argumentsFor('whole', { executor: 'eager' }), '--resume'], env);
    expect(changed.status).toBe(2);
    expect(changed.stderr).toMatch(/model\.executor: \(absent\) -> "eager" \(moves bits/);
  });

  it('keeps to an annotation budget that is spread over the run', () => {
    run('budget', { selection: { id: 'all' }, budget: { rewardCalls: 100 } });
    const done = summariesOf('budget').map(({ annotations }) => annotations.done);
    expect(done).toEqual([48, 52]);
  });

  it('plans without training', () => {
    const planned = metaapo([...argumentsFor('planned'), '--dry-run'], env);
    expect(planned.status, planned.stderr).toBe(0);
    expect(planned.stdout).toMatch(/Longest rows, in tokens: row \d+ with \d+/);
    expect(planned.stdout).toContain('At most 60 prompts are sampled: 240 responses and reward calls');
    expect(planned.stdout).toMatch(/Expected: \d+ prompts, \d+ responses and reward calls/);
    expect(planned.stdout).toMatch(/Updates of the meta-learner, expected: \d+, one in 4 of \d+ optimizer steps/);
    expect(planned.stdout).toMatch(/Tokens: \d+ in 60 rows, \d+ a row/);
    expect(planned.stdout).toMatch(/With the weights of other models: .*reference, while it is asked/);
    expect(planned.stdout).toMatch(/Time, estimated from a rehearsal \(tensorflow, 2 of 2 layers\): .*start/);
    expect(planned.stdout).toMatch(/Memory, estimated: \d+\.\d\d GiB/);
    expect(planned.stdout).toContain('adamEpsilon: 1e-8');
    expect(existsSync(output('planned'))).toBe(false);
  });

  it('looks in a dry run at all that the run would open', () => {
    const planned = (settings: Readonly<Record<string, unknown>>): string => {
      const { status, stderr } = metaapo([...argumentsFor('planned', settings), '--dry-run'], env);
      expect(status, stderr).toBe(2);
      return stderr;
    };
    const nowhere = { id: 'judge', model: 'm', baseUrls: ['http://127.0.0.1:9/v1'] };
    const broken = output('broken.mjs');
    writeFileSync(broken, 'export const score = 1;');
    expect(planned({ rewardModel: { id: 'function', path: broken } })).toContain('no function');
    expect(planned({ rewardModel: nowhere })).toMatch(/reward model judge at .*cannot be reached/);
    const member = { rewardModel: nowhere, weight: 1 };
    expect(planned({ rewardModel: { id: 'ensemble', members: [member] } })).toMatch(/judge at .*cannot be reached/);
    const cascade = { id: 'cascade', clearBy: 1, first: nowhere };
    expect(planned({ annotation: cascade })).toMatch(/judge at .*cannot be reached/);
    const sampler = { id: 'openai', model: 'policy', baseUrls: ['http://127.0.0.1:9/v1'] };
    expect(planned({ sampler })).toMatch(/sampler openai at .*cannot be reached/);
    expect(planned({ reference: directory })).toContain(directory);
    expect(planned({ output: broken })).toContain('a file where a directory should be');
  });

  it('refuses a second process in the same directory', async () => {
    const second: { status: number | null; stderr: string }[] = [];
    await interruptedMetaapo(argumentsFor('shared', { iterations: 1 }), /Iteration 1/, env, () => {
      second.push(metaapo([...argumentsFor('shared', { iterations: 1 }), '--resume'], env));
    });
    expect(second[0]).toMatchObject({ status: 2, stderr: expect.stringContaining('another process') });
  });
});

describe('metaapo init', () => {
  it('writes each built-in recipe once', () => {
    for (const name of ['metaapo', 'metaapo-reference', 'metaapo-simpo', 'metaapo-qwen', 'dpo']) {
      const file = output(`${name}.yaml`);
      expect(metaapo(['init', name, '--output', file]).status).toBe(0);
      expect(readFileSync(file, 'utf8')).toContain('loss: {');
    }
    expect(metaapo(['init', 'dpo', '--output', output('dpo.yaml')]).stderr).toContain('the file exists already');
    expect(metaapo(['init', 'ppo', '--output', output('ppo.yaml')]).status).toBe(2);
  });
});
