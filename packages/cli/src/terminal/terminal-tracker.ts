import {
  CONTRACT,
  definePart,
  definePlugin,
  type IterationReport,
  type Metrics,
  type Plugin,
  type RunEvents,
  type Stage,
  TRACKER,
  type Tracker,
} from '@metaapo/core/contracts';
import { z } from 'zod';
import { createProgress, type Progress } from './progress.js';

/** Shows a run on the terminal's error stream: one line a stage, then the training, iteration after iteration. */
export function terminal(): Tracker {
  let training = showTraining();
  const stages = new Map<Stage, StageProgress>();
  return {
    id: 'terminal',
    options: Object.freeze({}),
    log: () => undefined,
    close: () => undefined,
    step: (report, total) => training.step?.(report, total),
    warning: (text) => void process.stderr.write(`Warning: ${text}\n`),
    evaluation: (rows, total) => training.evaluation?.(rows, total),
    evaluated: (step, metrics) => training.evaluated?.(step, metrics),
    iteration(iteration, rows) {
      training = showTraining();
      stages.clear();
      process.stderr.write(`Iteration ${iteration + 1}: ${rows} rows\n`);
    },
    stage(stage, done, total) {
      if (total === 0) return;
      // A stage that begins again, as the evaluation before the first iteration and after it, has a line of its own.
      const known = stages.get(stage);
      const shown = known === undefined || known.isEnded ? beginStage(stage, done) : known;
      stages.set(stage, shown);
      shown.update(done, total);
    },
    served({ difference }) {
      process.stderr.write(`The servers serve the policy: ${difference.toPrecision(2)} nats a token between them\n`);
    },
    summary({ selected, rows, pairs, rewards, seconds, tokens }) {
      const reward = (value: number | undefined): string => value?.toFixed(3) ?? '-';
      const counts = `${selected} of ${rows} rows annotated, ${pairs.pairs} online pairs`;
      process.stderr.write(
        `${counts}; reward of all ${reward(rewards.all)}, chosen ${reward(rewards.chosen)}, rejected ${reward(rewards.rejected)}\n`,
      );
      process.stderr.write(`Seconds: ${stageTimes({ seconds, tokens })}\n`);
    },
  };
}

/** {@link terminal} as a part, which every command that trains has. */
export const terminalPlugin: Plugin = definePlugin({
  name: '@metaapo/cli',
  contract: CONTRACT,
  parts: [
    definePart({
      slot: TRACKER,
      id: 'terminal',
      summary: 'Progress, warnings and summaries on the error stream; always there.',
      options: z.strictObject({}),
      create: () => terminal(),
    }),
  ],
});

interface StageProgress {
  readonly isEnded: boolean;
  update(done: number, total: number): void;
}

/** A stage's line: how many rows are done, how many a second, and how long it still takes. */
function beginStage(stage: Stage, known: number): StageProgress {
  const progress = createProgress(stage, { from: known });
  const started = performance.now();
  let isEnded = false;
  return {
    get isEnded() {
      return isEnded;
    },
    update(done, total) {
      const rate = (1000 * (done - known)) / (performance.now() - started);
      progress.update(done, total, done > known ? [`${rate.toPrecision(3)} rows/s`] : []);
      isEnded = done >= total;
      if (isEnded) progress.end();
    },
  };
}

/** What each stage took, and how many tokens a second it worked on. */
function stageTimes({ seconds, tokens }: Pick<IterationReport, 'seconds' | 'tokens'>): string {
  const stages = Object.entries(seconds).filter(([, time]) => time >= 0.05) as [Stage, number][];
  const rate = (stage: Stage, time: number): string =>
    tokens[stage] === undefined ? '' : ` (${(tokens[stage] / time).toFixed(0)} tokens/s)`;
  return stages.map(([stage, time]) => `${stage} ${time.toFixed(1)}${rate(stage, time)}`).join(', ');
}

/** Shows a training: rows, tokens a second, loss, and how long it still takes. */
function showTraining(): RunEvents {
  let training: Progress | undefined;
  let evaluation: Progress | undefined;
  const speed = tokenSpeed();
  let rows = 0;
  return {
    step(report, total) {
      const { step, metrics } = report;
      training ??= createProgress('train', {
        from: step - 1,
        startedAt: performance.now() - 1000 * metrics['time/step_s']!,
      });
      rows += report.rows.length;
      const values = shownOf(metrics, [
        ['loss', 'loss', 4],
        ['rewards/accuracies', 'accuracy', 2],
        ['rewards/margins', 'margin', 3],
      ]);
      training.update(step, total, [
        ...speed(step, metrics),
        ...values.slice(0, 1),
        `${rows} rows`,
        ...values.slice(1),
      ]);
      if (step === total) training.end();
    },
    evaluation(done, total) {
      evaluation ??= createProgress('evaluate', { from: done });
      evaluation.update(done, total);
    },
    evaluated(step, metrics) {
      const values = shownOf(metrics, [
        ['eval_loss', 'held-out loss', 4],
        ['eval_perplexity', 'perplexity', 2],
        ['eval_rewards/accuracies', 'accuracy', 4],
        ['eval_rewards/margins', 'margin', 4],
      ]);
      evaluation?.line(`after step ${step}: ${values.join(', ')}`);
      evaluation = undefined;
    },
  };
}

/** Tokens a second of the steps of this process, evaluations left out; none until it is known. */
function tokenSpeed(): (step: number, metrics: Metrics) => readonly string[] {
  let before: number | undefined;
  let seconds = 0;
  return (step, metrics) => {
    const tokens = metrics.num_tokens!;
    // The tokens of an interrupted process belong to its own seconds.
    if (before === undefined && step > 1) {
      before = tokens;
      return [];
    }
    before ??= 0;
    seconds += metrics['time/step_s']!;
    return [`${((tokens - before) / seconds).toFixed(0)} tokens/s`];
  };
}

/** Metrics in words, those that are there. */
function shownOf(
  metrics: Metrics,
  shown: readonly (readonly [name: string, label: string, digits: number])[],
): readonly string[] {
  return shown.flatMap(([name, label, digits]) => {
    const value = metrics[name];
    return value === undefined ? [] : [`${label} ${value.toFixed(digits)}`];
  });
}
