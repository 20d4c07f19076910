import { groupOf, type ObjectiveRecipe, type RunRecipe, tokensOf } from '@metaapo/core';
import type { GenerationRequest, MemoryEstimate, PromptGroup, TokenizedPreference } from '@metaapo/core/contracts';
import { firstPack } from '@metaapo/core/numerics';
import { CHECKPOINT_BYTES, MODEL_BYTES } from './plan-disk.js';
import type { PlannedIteration } from './plan-selection.js';
import type { PlannedStage, PlannedWork } from './plan-time.js';

/** What one training is about to compute. */
export interface PlannedTraining {
  readonly recipe: Pick<ObjectiveRecipe, 'training' | 'reference'>;
  readonly estimate: MemoryEstimate | undefined;
  /** Of the rows that are trained, and of those that are held out. */
  readonly groups: readonly PromptGroup[];
  readonly heldGroups: readonly PromptGroup[];
  readonly isReferred: boolean;
  readonly totalSteps: number;
  readonly trains?: 'policy' | 'scorer' | undefined;
}

/** The work of one training on a data set, by stage. */
export function trainingWork(planned: PlannedTraining): PlannedWork {
  const { recipe, estimate, groups, heldGroups, isReferred, totalSteps, trains } = planned;
  const { epochs, saveEvery } = recipe.training;
  const [tokens, held] = [sumOf(groups), sumOf(heldGroups)];
  const checkpoints = saveEvery === undefined ? 0 : Math.floor(totalSteps / saveEvery);
  return {
    trains,
    read: groups,
    trained: groups,
    left: 'fetching what is not here yet is',
    stages: {
      ...(isReferred && { reference: { readers: recipe.reference === undefined ? 0 : 1, read: tokens + held } }),
      train: { trained: epochs * tokens, updates: totalSteps },
      evaluate: { read: evaluations(recipe, totalSteps) * held },
      save: { saved: bytes(estimate, 1, checkpoints) },
    },
  };
}

/** What a run of iterations is about to compute. */
export interface PlannedRun {
  readonly recipe: RunRecipe;
  readonly estimate: MemoryEstimate | undefined;
  readonly rows: readonly TokenizedPreference[];
  readonly held: readonly TokenizedPreference[];
  readonly iterations: readonly PlannedIteration[];
  /** Optimizer steps of each iteration. */
  readonly steps: readonly number[];
  readonly isReferred: boolean;
  /** Whether the policy scores the offline pairs, and whether rows without an online pair are trained too. */
  readonly isScored: boolean;
  readonly isAllTrained: boolean;
  /** Responses to a selected prompt. */
  readonly responses: number;
}

/** The work of a run, if new responses are as long as the data's chosen ones. */
export function runWork(planned: PlannedRun): PlannedWork {
  const { recipe, estimate, rows, held, iterations, isReferred, steps, isAllTrained, responses } = planned;
  const used = rows.slice(
    0,
    sum(iterations, (one) => one.rows),
  );
  const group = mean(used, (row) => tokensOf(groupOf(row)));
  const prompt = mean(used, (row) => row.prompt.length);
  const most = Number(recipe.sampler.maxNewTokens ?? Number.POSITIVE_INFINITY);
  const response = Math.min(
    most,
    mean(used, ({ chosen }) => chosen.length),
  );
  const prompts = sum(iterations, (one) => one.expected);
  const rewarded = Math.min(recipe.evaluateRewards ?? 0, held.length);
  const evaluated = sum(steps, (count) => evaluations(recipe, count));
  const isLocal = recipe.sampler.id === 'local';
  const sampling = (texts: number, count: number): PlannedStage =>
    isLocal ? { sampled: texts * count * response, read: texts * prompt } : {};
  const heldTokens = sum(held, (row) => tokensOf(groupOf(row)));
  const inLoop = (recipe.reference === undefined ? iterations.slice(1) : iterations).length;
  const offline = group * used.length;
  // In an iteration in which the policy is its own reference it is asked once.
  const scored = recipe.reference === undefined && isReferred ? offline - group * (iterations[0]?.rows ?? 0) : offline;
  const online = prompts * (prompt + 2 * response);
  const trained = isAllTrained ? offline + 2 * response * prompts : (group + 2 * response) * prompts;
  const rewardEvaluation = sampling(rewarded * (iterations.length + 1), 1);
  return {
    read: used.map(groupOf),
    trained: used.map((row) => withOnline(row, response)),
    requests: isLocal ? requestsOf(used, recipe, { responses, response }) : undefined,
    left: isLocal ? 'rewards are' : 'servers and rewards are',
    stages: {
      ...(isReferred && { reference: { readers: 2 * inLoop, read: offline + online + heldTokens } }),
      ...(planned.isScored && { score: { read: scored } }),
      sample: sampling(prompts, responses),
      train: { trained: recipe.training.epochs * trained, updates: sum(steps, (count) => count) },
      evaluate: { ...rewardEvaluation, read: (rewardEvaluation.read ?? 0) + evaluated * heldTokens },
      save: { saved: bytes(estimate, iterations.length + 1, iterations.length) },
    },
  };
}

/** The group of a row that has got a pair of new responses. */
function withOnline(row: TokenizedPreference, response: number): PromptGroup {
  const { prompt, responses } = groupOf(row);
  const drawn = new Int32Array(Math.max(1, Math.round(response))).fill(row.chosen[0] ?? 0);
  return { prompt, responses: [...responses, drawn, drawn] };
}

/** As many requests as there is room for at a time. */
function requestsOf(
  rows: readonly TokenizedPreference[],
  { cachedTokens, sampler }: RunRecipe,
  { responses, response }: { readonly responses: number; readonly response: number },
): readonly GenerationRequest[] {
  const cached = ({ prompt }: TokenizedPreference): number => prompt.length + responses * response;
  return firstPack(rows, cached, cachedTokens).map(({ prompt }, seed) => ({
    prompt,
    count: responses,
    maxNewTokens: Number(sampler.maxNewTokens ?? Math.ceil(response)),
    stopTokenIds: [],
    temperature: 1,
    seed,
  }));
}

/** Evaluations of held-out rows: before the first step, after the last one, and every so many. */
function evaluations({ training }: Pick<ObjectiveRecipe, 'training'>, steps: number): number {
  return 2 + (training.evaluateEvery === undefined ? 0 : Math.floor((steps - 1) / training.evaluateEvery));
}

function bytes(estimate: MemoryEstimate | undefined, models: number, checkpoints: number): number {
  return (estimate?.parameters.trained ?? 0) * (models * MODEL_BYTES + checkpoints * CHECKPOINT_BYTES);
}

const sumOf = (groups: readonly PromptGroup[]): number => sum(groups, tokensOf);

function sum<Item>(items: readonly Item[], read: (item: Item) => number): number {
  return items.reduce((total, item) => total + read(item), 0);
}

function mean<Item>(items: readonly Item[], read: (item: Item) => number): number {
  return sum(items, read) / Math.max(1, items.length);
}
