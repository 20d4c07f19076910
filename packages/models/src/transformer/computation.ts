import {
  type ForwardTicket,
  type LogprobGradient,
  MetaapoError,
  type PassOptions,
  type PromptGroup,
  type ResponseLogprobs,
} from '@metaapo/core/contracts';
import {
  canWriteRows,
  type Executor,
  type FedTensor,
  openSession,
  type Profile,
  type ProgramSet,
  type Session,
} from '@metaapo/engine';
import * as tf from '@tensorflow/tfjs';
import { generationPrograms, type KvCacheForm, pagesOf } from './decode.js';
import { feedsOf } from './feeds.js';
import { createHeadPasses, sumOf } from './head-passes.js';
import { layoutGroups, type PackedLayout } from './layout.js';
import { createOpenPass } from './open-pass.js';
import { type OptimizerSteps, optimizerPrograms, optimizerSteps } from './optimizer-steps.js';
import {
  type AdamWConstants,
  bodyPrograms,
  evaluateProgram,
  headBackwardProgram,
  headProgram,
  logitsProgram,
  type ProgramOptions,
} from './programs.js';
import type { PassConfig } from './transformer-config.js';

/** How the programs of a model are opened. */
export interface SessionOptions extends ProgramOptions {
  /** Present when the model is trained. */
  readonly optimizer?: AdamWConstants | undefined;
  readonly executor?: Executor | 'auto' | undefined;
  /** Told what each primitive costs; makes the executor `eager`. */
  readonly profile?: Profile | undefined;
}

/** What {@link createComputation} needs. */
export interface ComputationOptions extends SessionOptions {
  /** Bytes that the logits of one chunk of predicted tokens may take. Default 128 MiB. */
  readonly logitsBytes?: number | undefined;
  /** Tokens that the KV cache has room for; present when the model generates. */
  readonly cachedTokens?: number | undefined;
}

/** The mathematics of a language model on a session: token ids in, log-probabilities and gradients inside. */
export interface Computation extends OptimizerSteps {
  readonly session: Session;
  /** Logits `[M, vocabulary]` at the tokens that predict the responses; owned by the caller. */
  logits(groups: readonly PromptGroup[]): Promise<tf.Tensor2D>;
  evaluate(groups: readonly PromptGroup[], options?: PassOptions): Promise<ResponseLogprobs>;
  forward(groups: readonly PromptGroup[], options?: PassOptions): Promise<ForwardTicket>;
  backward(ticket: ForwardTicket, gradient: LogprobGradient): Promise<void>;
  discard(ticket: ForwardTicket): Promise<void>;
  dispose(): void;
}

interface Pass {
  readonly layout: PackedLayout;
  readonly feeds: Readonly<Record<string, FedTensor>>;
  readonly hidden: tf.Tensor2D;
}

/** Writes the programs of a model and opens them. The session's parameters have to be written before the first pass. */
export function createComputation(options: ComputationOptions): Computation {
  const { config, optimizer, logitsBytes } = options;
  const session = openSession(languageModelPrograms(options), options.executor, options.profile);
  const head = createHeadPasses(session, { vocabularySize: config.vocabularySize, logitsBytes });
  const open = createOpenPass<Pass>(session);
  const evaluating = async <Result>(
    groups: readonly PromptGroup[],
    read: (pass: Pass) => Promise<Result>,
  ): Promise<Result> => {
    const pass = await runBody(session, config, 'evaluate', groups);
    try {
      return await read(pass);
    } finally {
      pass.hidden.dispose();
    }
  };
  return {
    session,
    logits: (groups) => evaluating(groups, ({ hidden, layout }) => logitsOf(session, hidden, layout)),
    evaluate: (groups, pass) => evaluating(groups, ({ hidden, layout }) => head.responses(hidden, layout, pass)),
    forward: (groups, pass) =>
      open.forward(
        () => runBody(session, config, 'forward', groups),
        ({ hidden, layout }) => head.responses(hidden, layout, pass),
      ),
    backward: (ticket, gradient) =>
      open.backward(ticket, async ({ hidden, layout, feeds }) => {
        const hiddenGradient = await head.backward(hidden, layout, gradient);
        try {
          await session.run('backward', { ...feeds, hiddenGradient });
        } finally {
          hiddenGradient.dispose();
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
  const layout = layoutGroups(groups, config);
  if (layout.targets.length === 0) {
    throw new MetaapoError('internal', 'nothing is predicted', { where: 'a pass of the language model' });
  }
  const feeds = feedsOf(layout, config);
  return { layout, feeds, hidden: (await session.run(program, feeds)).hidden as tf.Tensor2D };
}

async function logitsOf(session: Session, hidden: tf.Tensor2D, { tokenCounts }: PackedLayout): Promise<tf.Tensor2D> {
  const { logits } = await session.run('logits', { hidden });
  const predicted = tf.slice(logits as tf.Tensor2D, [0, 0], [sumOf(tokenCounts), -1]);
  logits!.dispose();
  return predicted;
}

/** What the programs of a language model are written from, for training and generation too. */
export type LanguageModelProgramOptions = ProgramOptions & Pick<ComputationOptions, 'optimizer' | 'cachedTokens'>;

/** All programs of a language model. */
export function languageModelPrograms(options: LanguageModelProgramOptions): ProgramSet {
  const { optimizer, cachedTokens } = options;
  const inference = {
    evaluate: evaluateProgram(options),
    head: headProgram(options),
    headEntropy: headProgram(options, { entropies: true }),
    logits: logitsProgram(options),
    ...(cachedTokens === undefined ? {} : generationPrograms(options, kvCacheForm(options, cachedTokens))),
  };
  if (optimizer === undefined) return inference;
  return {
    ...inference,
    ...bodyPrograms(options),
    headBackward: headBackwardProgram(options),
    ...optimizerPrograms(options, optimizer),
  };
}

/** Keys and values as wide as matrix products, where the backend can write rows of that type. */
function kvCacheForm({ precision, config }: ProgramOptions, cachedTokens: number): KvCacheForm {
  return {
    pages: config.sizes.room(pagesOf(cachedTokens)),
    dtype: canWriteRows(precision, config.executor) ? precision : 'float32',
  };
}
