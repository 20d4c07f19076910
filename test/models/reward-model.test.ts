import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeRecipe } from '@metaapo/core';
import type { RewardRequest } from '@metaapo/core/contracts';
import { readArrays, writeArrays } from '@metaapo/core/storage';
import { tokenizePreference } from '@metaapo/data';
import { selectBackend } from '@metaapo/engine';
import modelParts, {
  encodeForReward,
  type LoadedTokenizer,
  loadLanguageModel,
  loadScorer,
  loadTextModel,
  loadTextScorer,
  loadTokenizer,
  localModel,
  type SequenceClassificationOptions,
  scoreSequences,
  sequenceClassification,
} from '@metaapo/models';
import { describeRewardModel } from '@metaapo/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { quickstartModel, root, temporaryDirectory } from '../support/metaapo.js';

const directory = temporaryDirectory();
const model = join(directory, 'reward');

const conversation: RewardRequest = {
  prompt: [{ role: 'user', content: 'sort 2 1' }],
  response: '1 2',
};

beforeAll(async () => {
  await selectBackend({});
  const made = await loadScorer(quickstartModel, { newHead: { seed: 1 } });
  await made.save(model);
  made.dispose();
});

describeRewardModel({ describe, it }, () => sequenceClassification({ model }), {
  name: 'sequence-classification as a reward model',
  honoursAbort: true,
});

/** A copy of the reward model with something changed in a file. */
function copyOf(name: string, file: string, change: (text: string) => string): string {
  const copy = join(directory, name);
  cpSync(model, copy, { recursive: true });
  const text = readFileSync(join(copy, file), 'utf8');
  writeFileSync(join(copy, file), change(text));
  return copy;
}

async function fingerprintOf(options: Parameters<typeof sequenceClassification>[0]): Promise<string> {
  const { fingerprint, dispose } = await sequenceClassification(options);
  await dispose!();
  return fingerprint;
}

describe('a sequence that is scored', () => {
  it('has the ids that a reward model is trained with, as the template ends them', async () => {
    const tokenizer = await loadTokenizer(model);
    const { prompt, response } = conversation as { prompt: [{ role: string; content: string }]; response: string };
    const answer = { role: 'assistant', content: response };
    const row = { file: 'pairs', row: 0, form: 'messages', prompt, chosen: [answer], rejected: [answer] } as const;
    const trained = tokenizePreference(row, tokenizer);
    if (!('preference' in trained)) throw new Error('the row was dropped');
    const ids = [...trained.preference.prompt, ...trained.preference.chosen];
    expect([...encodeForReward(conversation, tokenizer)]).toEqual(ids);
    expect(tokenizer.renderChat([...prompt, answer])).toMatch(/\n$/);
    expect(ids).toEqual([...tokenizer.encode(tokenizer.renderChat([...prompt, answer]))]);
    const text = { file: 'pairs', row: 0, form: 'text', prompt: 'sort', chosen: ' 1', rejected: ' 2' } as const;
    const plain = tokenizePreference(text, tokenizer);
    if (!('preference' in plain)) throw new Error('the row was dropped');
    expect([...encodeForReward({ prompt: 'sort', response: ' 1' }, tokenizer)]).toEqual([
      ...plain.preference.prompt,
      ...plain.preference.chosen,
    ]);
  });

  it('has the score that it has alone, whatever begins as it does', async () => {
    const scorer = await loadScorer(model);
    const ids = (from: number, length: number): number[] =>
      Array.from({ length }, (_, index) => 3 + ((from + 5 * index) % 40));
    const [first, second] = [ids(1, 40), ids(2, 25)];
    const sequences = [
      [...first, ...ids(3, 9)],
      [...second, ...ids(4, 2)],
      [...first, ...ids(5, 1)],
      ids(6, 30),
      [...second, ...ids(7, 30)],
      [...first, ...ids(3, 5)],
    ].map((tokens) => Int32Array.from(tokens));
    const together = await scoreSequences(scorer, sequences, 90);
    for (const [index, sequence] of sequences.entries()) {
      const [alone] = await scorer.score([{ prompt: new Int32Array(), responses: [sequence] }]);
      expect(together[index]).toBeCloseTo(alone!, 5);
    }
    scorer.dispose();
  });

  it('is cut to the longest length, which is said once and counted', async () => {
    const lines: string[] = [];
    const reward = await sequenceClassification(
      { model, maxLength: 8 },
      {
        report: (line) => void (line.startsWith('reward model') && lines.push(line)),
      },
    );
    const long = { ...conversation, response: '1 2 3 4 5 6 7 8 9' };
    await reward.score([long, conversation, { prompt: 'a', response: 'b' }]);
    await reward.score([long]);
    await reward.dispose!();
    expect(lines).toEqual([
      expect.stringMatching(
        /^reward model sequence-classification: a conversation of \d+ tokens is cut to its first 8;/,
      ),
      'reward model sequence-classification: 3 conversations were cut to 8 tokens',
    ]);
  });
});

describe('where a score is read', () => {
  const ends = (ids: Int32Array, tokenizer: LoadedTokenizer) => tokenizer.decode(ids, { keepSpecialTokens: true });

  it('is the end of the template, or the end token as OpenRLHF has it', async () => {
    const tokenizer = await loadTokenizer(model);
    const text = '<|im_start|>user\nsort 2 1<|im_end|>\n<|im_start|>assistant\n1 2<|im_end|>';
    expect(ends(encodeForReward(conversation, tokenizer), tokenizer)).toBe(`${text}\n`);
    expect(ends(encodeForReward(conversation, tokenizer, 'end-of-turn'), tokenizer)).toBe(text);
    const plain = encodeForReward({ prompt: 'sort', response: ' 1\n\n' }, tokenizer, 'end-of-turn');
    expect(ends(plain, tokenizer)).toBe('sort 1 <|im_end|>');
  });

  it('follows from the kind of the model, and from the option before it', async () => {
    const openrlhf = copyOf('openrlhf', 'config.json', (text) => text.replace(/Qwen2ForSequence\w+/, 'RewardModel'));
    const scoreOf = async (options: SequenceClassificationOptions): Promise<number> => {
      const reward = await sequenceClassification(options);
      const [score] = await reward.score([conversation]);
      await reward.dispose!();
      return score!;
    };
    const [atTemplate, atEnd] = [await scoreOf({ model }), await scoreOf({ model: openrlhf })];
    expect(Math.abs(atTemplate - atEnd)).toBeGreaterThan(1e-3);
    expect(await scoreOf({ model: openrlhf, scoreAt: 'template-end' })).toBeCloseTo(atTemplate, 5);
    expect(await scoreOf({ model: { id: 'local', path: openrlhf }, scoreAt: 'end-of-turn' })).toBeCloseTo(atEnd, 5);
  });

  it('is the end token also where a conversation is cut', async () => {
    const tokenizer = await loadTokenizer(model);
    const [id, long] = [tokenizer.eosTokenId!, { prompt: 'sort', response: ' 1 2 3 4 5 6 7 8' }];
    const reward = await sequenceClassification({ model, scoreAt: 'end-of-turn', maxLength: 4 });
    const scorer = await loadScorer(model);
    const cut = Int32Array.of(...tokenizer.encode('sort 1 2 3 4 5 6 7 8').subarray(0, 3), id);
    const [wanted] = await scorer.score([{ prompt: new Int32Array(), responses: [cut] }]);
    expect((await reward.score([long]))[0]).toBeCloseTo(wanted!, 5);
    await reward.dispose!();
    scorer.dispose();
  });
});

describe('the model of a sequence classifier', () => {
  it('may be a part of its own, as that of a recipe', async () => {
    const made: unknown[] = [];
    const makePart = async (_: unknown, recipe: object) => {
      made.push(recipe);
      return localModel({ path: model, executor: 'eager' }, { report: () => undefined }) as never;
    };
    const given = { id: 'served', url: 'x' };
    const reward = await sequenceClassification({ model: given }, { makePart });
    await reward.dispose!();
    await sequenceClassification({ model, precision: 'float32' }, { makePart }).then(({ dispose }) => dispose!());
    expect(made).toEqual([given, { id: 'local', path: model, precision: 'float32' }]);
    await expect(sequenceClassification({ model: given, precision: 'float32' }, { makePart })).rejects.toThrow(
      /precision is an option of a model that is computed here/,
    );
    await expect(sequenceClassification({ model: given })).rejects.toThrow(/can be no reward model/);
  });

  it('is made with the parts of a recipe', async () => {
    const rewardModel = { id: 'sequence-classification', model: { id: 'local', path: model, executor: 'eager' } };
    const composition = composeRecipe({ plugins: [modelParts], recipe: { rewardModel } });
    expect((await composition.inspect('rewardModel')).memory).toBeGreaterThan(1000);
    const parts = await composition.makeAll();
    expect(await parts.rewardModel.score([conversation])).toHaveLength(1);
    await composition.dispose();
  });
});

describe('the fingerprint', () => {
  it('follows from weights, template, configuration and what is cut', async () => {
    const template = copyOf('template', 'chat_template.jinja', (text) => `${text} `);
    const config = copyOf('config', 'config.json', (text) =>
      text.replace(/"rms_norm_eps": [^,\n]+/, '"rms_norm_eps": 0.01'),
    );
    const weights = join(directory, 'weights');
    cpSync(model, weights, { recursive: true });
    const arrays = await readArrays(join(weights, 'model.safetensors'));
    arrays['score.weight']!.values[0]! += 1;
    await writeArrays(join(weights, 'model.safetensors'), arrays);
    const all = [model, template, config, weights].map((one) => ({ model: one }));
    const fingerprints = new Set<string>();
    for (const options of [...all, { model, maxLength: 100 }]) fingerprints.add(await fingerprintOf(options));
    expect(fingerprints.size).toBe(5);
    expect(await fingerprintOf({ model, batchTokens: 100 })).toBe(await fingerprintOf({ model }));
  });
});

describe('a model of the other kind', () => {
  it('is refused before its weights are read', async () => {
    const languageModel = join(directory, 'no-weights');
    cpSync(quickstartModel, languageModel, { recursive: true });
    rmSync(join(languageModel, 'model.safetensors'));
    for (const load of [loadScorer, loadTextScorer]) {
      await expect(load(languageModel)).rejects.toThrow(
        /has no classification head\. Expected .*; got a language model/,
      );
    }
    const weightless = join(directory, 'no-reward-weights');
    cpSync(model, weightless, { recursive: true });
    rmSync(join(weightless, 'model.safetensors'));
    for (const load of [loadLanguageModel, loadTextModel]) {
      await expect(load(weightless)).rejects.toThrow(/a reward model cannot be trained as a policy/);
    }
  });

  it('is not what an adapter makes of a reward model that is trained', async () => {
    const options = { adapter: join(root, 'fixtures', 'models', 'qwen2-lora', 'adapter'), newHead: { seed: 1 } };
    await expect(loadScorer(quickstartModel, options)).rejects.toThrow(/a reward model is trained whole/);
  });
});

describe('a head', () => {
  it('that is missing is an error, and never made up', async () => {
    await expect(sequenceClassification({ model: quickstartModel })).rejects.toThrow(/has no classification head/);
    const headless = join(directory, 'headless');
    cpSync(model, headless, { recursive: true });
    const { 'score.weight': _, ...arrays } = await readArrays(join(headless, 'model.safetensors'));
    await writeArrays(join(headless, 'model.safetensors'), arrays);
    await expect(sequenceClassification({ model: headless })).rejects.toMatchObject({
      code: 'checkpoint',
      message: expect.stringContaining('score.weight'),
    });
  });
});
