// What a run is and what it came to, in a few numbers.
(() => {
  const { isNumber } = globalThis.report;
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  /** First and last value of a metric. */
  const ends = (run, name) => {
    const values = run.metrics.map((line) => line[name]).filter(isNumber);
    return { first: values[0], last: values.at(-1) };
  };

  /** Where policy and reference are equal every pair ties, and a share of wins means nothing. */
  const isTied = (line, prefix = '') => Math.abs(line[`${prefix}rewards/margins`] ?? 1) < 1e-6;

  /** What kind of run it is, for people. */
  const kindOf = ({ settings = {}, iterations, metrics }) => {
    if (settings.iterations !== undefined || iterations.length > 0) {
      if (settings.selection?.id === 'all') return 'Online preference optimisation';
      if (settings.selection?.id === 'none') return 'Offline preference optimisation';
      return 'MetaAPO';
    }
    if (settings.loss === undefined) return 'Fine-tuning';
    // The rewards of a reward model are its scores; those of a policy are made of log-probabilities.
    const paired = metrics.find((line) => 'rewards/chosen' in line) ?? {};
    return paired['logps/chosen'] === paired['rewards/chosen'] ? 'Reward model' : 'Preference training';
  };

  const named = (name, options) => {
    const words = Object.entries(options).map(
      ([option, value]) => `${option} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
    );
    return words.length === 0 ? name : `${name} (${words.join(', ')})`;
  };

  const partText = (part) => {
    if (part === undefined) return undefined;
    const { id, ...options } = part;
    return named(id, options);
  };

  /** A local model is known by its name or directory. */
  const modelText = (model) => {
    if (typeof model !== 'object' || model.id !== 'local') return typeof model === 'object' ? partText(model) : model;
    const { id, path, ...options } = model;
    return named(path, options);
  };

  /** The parts and settings that say which method it was: [name, value]. */
  const factsOf = ({ settings = {} }) =>
    [
      ['Model', modelText(settings.model)],
      ['Loss', partText(settings.loss)],
      ['Meta-learner', partText(settings.metaLearner)],
      ['Selection', partText(settings.selection)],
      ['Responses a prompt', settings.responsesPerPrompt],
      ['Reward model', partText(settings.rewardModel)],
      ['Unselected rows', settings.iterations === undefined ? undefined : settings.unselected],
      ['Learning rate', settings.training?.learningRate],
      ['Batch size', settings.training?.batchSize],
    ].flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));

  /** The figures of a run; absent ones are `undefined`. */
  const figuresOf = (run) => {
    const { iterations, metrics } = run;
    const held = metrics.filter((line) => isNumber(line['eval_rewards/accuracies']) && !isTied(line, 'eval_'));
    const rows = sum(iterations.map((one) => one.rows));
    const calls = sum(iterations.map(({ annotations }) => annotations.done));
    const callsOfAll = sum(iterations.map(({ annotations }) => annotations.ofAll));
    const stageSeconds = sum(iterations.flatMap(({ seconds }) => Object.values(seconds)));
    const stepSeconds = sum(metrics.map((line) => line['time/step_s'] ?? 0));
    return {
      rewardBefore: run.rewardBefore,
      rewardAfter: iterations.at(-1)?.heldOutReward,
      share: rows > 0 ? sum(iterations.map(({ selected }) => selected)) / rows : undefined,
      calls: rows > 0 ? calls : undefined,
      callsOfAll,
      saved: callsOfAll > 0 ? 1 - calls / callsOfAll : undefined,
      pairs: sum(iterations.map(({ pairs }) => pairs.pairs)),
      accuracy:
        held.at(-1)?.['eval_rewards/accuracies'] ??
        metrics.findLast((line) => isNumber(line['rewards/accuracies']))?.['rewards/accuracies'],
      isHeldOut: held.length > 0,
      loss: ends(run, 'loss'),
      heldOutLoss: ends(run, 'eval_loss'),
      perplexity: ends(run, 'eval_perplexity'),
      steps: metrics.filter((line) => 'loss' in line).length,
      seconds: iterations.length > 0 ? stageSeconds : stepSeconds,
    };
  };

  Object.assign(globalThis.report, { kindOf, factsOf, figuresOf, isTied });
})();
