import type { PromptGroup, ScoreTicket } from '@metaapo/core/contracts';
import { type FedTensor, openSession, type ProgramSet, type Session } from '@metaapo/engine';
import type * as tf from '@tensorflow/tfjs';
import type { SessionOptions } from './computation.js';
import { feedsOf } from './feeds.js';
import { layoutGroups, type PackedLayout } from './layout.js';
import { createOpenPass } from './open-pass.js';
import { type OptimizerSteps, optimizerPrograms, optimizerSteps } from './optimizer-steps.js';
import { bodyPrograms, evaluateProgram, type ProgramOptions, scoreBackwardProgram, scoreProgram } from './programs.js';
import type { PassConfig } from './transformer-config.js';

/** The mathematics of a model with a classification head on a session: the score at each response's last token. */
export interface ScoreComputation extends OptimizerSteps {
  readonly session: Session;
  /** `[R]` scores. */
  score(groups: readonly PromptGroup[]): Promise<Float32Array>;
  forward(groups: readonly PromptGroup[]): Promise<ScoreTicket>;
  backward(ticket: ScoreTicket, gradient: Float32Array): Promise<void>;
  discard(ticket: ScoreTicket): Promise<void>;
  dispose(): void;
}

interface Pass {
  readonly feeds: Readonly<Record<string, FedTensor>>;
  readonly hidden: tf.Tensor;
  /** Responses: the first rows of `hidden`. */
  readonly count: number;
}

/** Writes the programs of a model with a classification head and opens them. Prompts may be empty. */
export function createScoreComputation(options: SessionOptions): ScoreComputation {
  const { config, optimizer } = options;
  const session = openSession(scorerPrograms(options), options.executor, options.profile);
  const open = createOpenPass<Pass>(session);
  return {
    session,
    async score(groups) {
      const pass = await runBody(session, config, 'evaluate', groups);
      try {
        return await scoresOf(session, pass);
      } finally {
        pass.hidden.dispose();
      }
    },
    forward: (groups) =>
      open.forward(
        () => runBody(session, config, 'forward', groups),
        async (pass) => ({ rewards: await scoresOf(session, pass) }),
      ),
    backward: (ticket, gradient) =>
      open.backward(ticket, async ({ feeds, hidden }) => {
        const [rows] = hidden.shape as [number];
        const data = new Float32Array(rows);
        data.set(gradient);
        const scoreGradient = { data, shape: [rows] };
        const { hiddenGradient } = await session.run('scoreBackward', { hidden, scoreGradient });
        try {
          await session.run('backward', { ...feeds, hiddenGradient: hiddenGradient! });
        } finally {
          hiddenGradient!.dispose();
        }
      }),
    discard: open.discard,
    ...optimizerSteps(session, optimizer),
    dispose() {
      open.dispose();
      session.dispose();
    },
  };
}

/** Runs all that comes before the head. */
async function runBody(
  session: Session,
  config: PassConfig,
  program: 'evaluate' | 'forward',
  groups: readonly PromptGroup[],
): Promise<Pass> {
  const { layout, ends } = layoutWithEnds(groups, config);
  const feeds = { ...feedsOf(layout, config), predictingRows: { data: ends, shape: [ends.length] } };
  return { feeds, hidden: (await session.run(program, feeds)).hidden!, count: layout.tokenCounts.length };
}

async function scoresOf(session: Session, { hidden, count }: Pass): Promise<Float32Array> {
  const { scores } = await session.run('score', { hidden });
  const values = Float32Array.from(await scores!.data()).slice(0, count);
  scores!.dispose();
  return values;
}

/** All programs of a model with a classification head. */
export function scorerPrograms(options: ProgramOptions & Pick<SessionOptions, 'optimizer'>): ProgramSet {
  const inference = { evaluate: evaluateProgram(options), score: scoreProgram(options) };
  if (options.optimizer === undefined) return inference;
  return {
    ...inference,
    ...bodyPrograms(options),
    scoreBackward: scoreBackwardProgram(options),
    ...optimizerPrograms(options, options.optimizer),
  };
}

/** The layout of groups with all of their tokens, and the row of each response's last one, filled up to a size of the form. */
function layoutWithEnds(
  groups: readonly PromptGroup[],
  config: PassConfig,
): { readonly layout: PackedLayout; readonly ends: Int32Array } {
  // A layout leaves out what is only predicted, its last token: here one more, of any id, which is never looked at.
  const extended = groups.map(({ prompt, responses }) => ({
    prompt,
    responses: responses.map((response) => Int32Array.of(...response, 0)),
  }));
  const layout = layoutGroups(extended, config);
  let end = 0;
  const ends = new Int32Array(config.sizes.places(layout.tokenCounts.length));
  for (const [response, count] of layout.tokenCounts.entries()) {
    end += count;
    ends[response] = layout.predictingRows.data[end - 1]!;
  }
  return { layout, ends };
}
