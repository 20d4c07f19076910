// What losses and learning rates do to the likelihood of chosen responses, and to the answers that the model gives.
//   npx tsx examples/chosen-reward/chosen-reward.ts
import { spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rewardOf } from '../quickstart/reward.mjs';
import { writePreferences } from '../quickstart/write-preferences.js';

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
const directory = 'runs/chosen-reward';
const TEST = join(directory, 'test.jsonl');

const CASES: readonly (readonly [loss: Readonly<Record<string, unknown>>, learningRate: number])[] = [
  [{ id: 'dpo', beta: 0.1 }, 1e-4],
  [{ id: 'dpo', beta: 0.1 }, 1e-3],
  [{ id: 'dpo', beta: 0.5 }, 1e-3],
  [{ id: 'rpo', beta: 0.1, nllWeight: 1 }, 1e-3],
];

type Line = Readonly<Record<string, unknown>>;
const linesOf = async (file: string): Promise<Line[]> =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

function metaapo(...args: string[]): string {
  const { status, stderr } = spawnSync(process.execPath, ['packages/cli/bin/metaapo.js', ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stderr;
}

/** Mean reward of the likeliest answers to the held-out prompts. */
async function answerReward(model: string, name: string): Promise<number> {
  const output = join(directory, `${name}.jsonl`);
  metaapo(
    'generate',
    '--model',
    model,
    '--data',
    TEST,
    '--output',
    output,
    '--temperature',
    '0',
    '--max-new-tokens',
    '16',
  );
  const prompts = (await linesOf(TEST)).map(({ prompt }) => (prompt as { content: string }[]).at(-1)!.content);
  const rewards = (await linesOf(output)).map((line, index) => rewardOf(prompts[index]!, line.response as string));
  return rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
}

await rm(directory, { recursive: true, force: true });
await writePreferences(join(directory, 'train.jsonl'), 1600, 1);
await writePreferences(TEST, 200, 10_000);
const before = await answerReward('fixtures/quickstart/model', 'before');
process.stdout.write(`Reward of the likeliest answers before training: ${before.toFixed(3)}\n\n`);
process.stdout.write(
  '| loss | learning rate | rewards/chosen | rewards/rejected | accuracy | nats a token | reward of answers | warned |\n',
);
process.stdout.write('|---|---|---|---|---|---|---|---|\n');
for (const [index, [loss, learningRate]] of CASES.entries()) {
  const output = join(directory, `run-${index}`);
  const sets = Object.entries({ loss, 'training.learningRate': learningRate, output });
  const args = sets.flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
  const said = metaapo('train', 'examples/chosen-reward/recipe.yaml', ...args);
  const last = (await linesOf(join(output, 'metrics.jsonl'))).at(-1) as Readonly<Record<string, number>>;
  const { id, ...options } = loss;
  const cells = [
    `${id} ${JSON.stringify(options)}`,
    learningRate,
    last['eval_rewards/chosen']!.toFixed(2),
    last['eval_rewards/rejected']!.toFixed(2),
    last['eval_rewards/accuracies']!.toFixed(3),
    last['eval_logps/chosen_change']!.toFixed(2),
    (await answerReward(join(output, 'model'), `answers-${index}`)).toFixed(3),
    said.includes('less likely') ? 'yes' : 'no',
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}
