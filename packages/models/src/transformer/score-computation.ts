import { MetaapoError, type PromptGroup, type ResponseLogprobs } from '@metaapo/core/contracts';
import { type FedTensor, openSession, type ProgramSet } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import type { Computation, ComputationOptions, ModelProgramOptions } from './computation.js';
import { feedsOf } from './feeds.js';
import { layoutGroups, type PackedLayout } from './layout.js';
import { createOpenPass } from './open-pass.js';
import { optimizerPrograms, optimizerSteps } from './optimizer-steps.js';
import { bodyPrograms, evaluateProgram, scoreBackwardProgram, scoreProgram } from './programs.js';

type Feeds = Readonly<Record<string, FedTensor>>;

const NO_TOKENS = new Int32Array(0);

/**
 * A model with a classification head. Where a language model gives the log-probability of a response, it gives the score
 * at the response's last token, so that a reward model trains and evaluates as a policy does. Prompts may be empty.
 */
export function createScoreComputation(options: ComputationOptions): Computation {
  const { config, optimizer } = options;
  const session = openSession(rewardModelPrograms(options), options.executor, options.profile);
  const open = createOpenPass<{ readonly feeds: Feeds; readonly hidden: tf.Tensor }>(session);

  const scoresOf = async (hidden: tf.Tensor): Promise<Float32Array> => {
    const { scores } = await session.run('score', { hidden });
    const values = Float32Array.from(await scores!.data());
    scores!.dispose();
    return values;
  };
  const feedsAtEnds = (layout: PackedLayout, ends: Int32Array): Feeds => ({
    ...feedsOf(layout, config),
    predictingRows: { data: ends, shape: [ends.length] },
  });
  const evaluate = async (groups: readonly PromptGroup[]): Promise<ResponseLogprobs> => {
    const { layout, ends, tokenCounts } = layoutWithEnds(groups, config);
    const { hidden } = await session.run('evaluate', feedsAtEnds(layout, ends));
    try {
      return { sumLogprobs: await scoresOf(hidden!), tokenCounts };
    } finally {
      hidden!.dispose();
    }
  };
  const noLanguageHead = async (): Promise<never> => {
    throw new MetaapoError('internal', 'a model with a classification head predicts no tokens', {
      where: 'log-probabilities',
    });
  };
  return {
    session,
    logits: noLanguageHead,
    async scores(sequences) {
      return (await evaluate(sequences.map((sequence) => ({ prompt: NO_TOKENS, responses: [sequence] })))).sumLogprobs;
    },
    evaluate,
    async forward(groups) {
      const { layout, ends, tokenCounts } = layoutWithEnds(groups, config);
      const begin = async () => {
        const feeds = feedsAtEnds(layout, ends);
        return { feeds, hidden: (await session.run('forward', feeds)).hidden! };
      };
      return open.forward(begin, async ({ hidden }) => ({ sumLogprobs: await scoresOf(hidden), tokenCounts }));
    },
    backward(ticket, gradient) {
      return open.backward(ticket, async ({ feeds, hidden }) => {
        const { perResponse } = gradient as { readonly perResponse: Float32Array };
        const scoreGradient = { data: perResponse, shape: [perResponse.length] };
        const { hiddenGradient } = await session.run('scoreBackward', { hidden, scoreGradient });
        try {
          await session.run('backward', { ...feeds, hiddenGradient: hiddenGradient! });
        } finally {
          hiddenGradient!.dispose();
        }
      });
    },
    discard: open.discard,
    ...optimizerSteps(session, optimizer),
    dispose() {
      open.dispose();
      session.dispose();
    },
  };
}

/** All programs of a model with a classification head. */
export function rewardModelPrograms(options: ModelProgramOptions): ProgramSet {
  const inference = { evaluate: evaluateProgram(options), score: scoreProgram(options) };
  if (options.optimizer === undefined) return inference;
  return {
    ...inference,
    ...bodyPrograms(options),
    scoreBackward: scoreBackwardProgram(options),
    ...optimizerPrograms(options, options.optimizer),
  };
}

/** The layout of groups with all of their tokens, and the row of each response's last one. */
function layoutWithEnds(
  groups: readonly PromptGroup[],
  config: ComputationOptions['config'],
): { readonly layout: PackedLayout; readonly ends: Int32Array } & Pick<ResponseLogprobs, 'tokenCounts'> {
  // A layout leaves out what is only predicted, its last token: here one more, of any id, which is never looked at.
  const extended = groups.map(({ prompt, responses }) => ({
    prompt,
    responses: responses.map((response) => Int32Array.of(...response, 0)),
  }));
  const layout = layoutGroups(extended, config);
  let end = 0;
  const ends = layout.tokenCounts.map((count) => {
    end += count;
    return layout.predictingRows.data[end - 1]!;
  });
  return { layout, ends, tokenCounts: layout.tokenCounts.map((count) => count - 1) };
}
