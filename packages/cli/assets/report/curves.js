// Curves over iterations and over optimizer steps, the table of iterations, and the time of their stages.
(() => {
  const { runs, isSingle, element, section, table, isNumber, fixed, percent, whole, duration, lineChart, isTied } =
    globalThis.report;
  const STAGES = ['score', 'select', 'sample', 'reward', 'pair', 'train'];
  const grid = (parent, kind = '') => parent.appendChild(element('div', { class: `grid ${kind}` }));
  const labelOf = (run, name) => (isSingle ? name : [run.name, name].filter(Boolean).join(', '));
  /** Colours tell lines of one run apart, or runs; where a run has one line alone its name is enough. */
  const lineOf = (run, index, name, points, { isAlone = false, ...more } = {}) => ({
    label: labelOf(run, isAlone && !isSingle ? undefined : name),
    points,
    color: isSingle ? index : runs.indexOf(run),
    ...more,
  });
  const known = (points) => points.filter(([, value]) => isNumber(value));

  const iterationPoints = (run, read) => known(run.iterations.map((one) => [one.iteration + 1, read(one)]));
  const rewardPoints = (run) =>
    known([[0, run.rewardBefore], ...run.iterations.map((one) => [one.iteration + 1, one.heldOutReward])]);

  const iterationRows = () =>
    runs.flatMap((run) =>
      run.iterations.map((one) => [
        isSingle ? String(one.iteration + 1) : `${run.name}, ${one.iteration + 1}`,
        whole(one.rows),
        percent(one.selected / one.rows),
        whole(one.annotations.done),
        whole(one.annotations.ofAll - one.annotations.done),
        fixed(one.rewards.all),
        fixed(one.rewards.chosen),
        fixed(one.rewards.rejected),
        whole(one.pairs.pairs),
        whole(one.pairs.tie + one.pairs.duplicates + one.pairs['too-few'] + one.pairs['not-better']),
        whole(one.pairs.truncated),
        fixed(one.kl?.perResponse, 2),
        fixed(one.heldOutReward),
      ]),
    );

  const drawIterations = () => {
    if (runs.every(({ iterations }) => iterations.length === 0)) return;
    const part = section('Iterations');
    const parent = grid(part, 'three');
    const x = [0, Math.max(...runs.map(({ iterations }) => iterations.length)) + 0.15];
    lineChart(
      parent,
      'Held-out reward',
      'iteration',
      runs.map((run) => lineOf(run, 2, 'new responses', rewardPoints(run), { isAlone: true })),
      { x },
    );
    const online = ({ iterations }) => iterations.length > 0;
    const rewards = runs.filter(online).flatMap((run) => [
      lineOf(
        run,
        0,
        'chosen',
        iterationPoints(run, ({ rewards }) => rewards.chosen),
      ),
      ...(isSingle
        ? [
            lineOf(
              run,
              5,
              'all',
              iterationPoints(run, ({ rewards }) => rewards.all),
            ),
          ]
        : []),
      lineOf(
        run,
        1,
        'rejected',
        iterationPoints(run, ({ rewards }) => rewards.rejected),
        { dash: !isSingle },
      ),
    ]);
    lineChart(parent, 'Reward of online responses', 'iteration', rewards, { x });
    const shares = runs.filter(online).map((run) =>
      lineOf(
        run,
        3,
        'annotated',
        iterationPoints(run, (one) => one.selected / one.rows),
        { isAlone: true },
      ),
    );
    const all = {
      label: 'online DPO',
      points: [
        [0, 1],
        [x[1], 1],
      ],
      color: 5,
      dash: true,
      quiet: true,
    };
    lineChart(parent, 'Share of prompts annotated', 'iteration', [...shares, all], { x, y: [0, 1.05] });
    const titles = [
      'iteration',
      'rows',
      'annotated',
      'calls',
      'saved',
      'reward',
      'chosen',
      'rejected',
      'pairs',
      'no pair',
      'cut',
      'KL',
      'held-out',
    ];
    part.append(
      table(titles, iterationRows()),
      element(
        'p',
        { class: 'note' },
        'Saved: reward calls that online DPO, which annotates every prompt, would have made beyond these. No pair: all responses equal, or of equal reward. KL: nats a response between policy and reference when the iteration began, estimated on new responses.',
      ),
    );
  };

  /** Lines of metrics; `keep` leaves out those that say nothing. */
  const metricLines = (name, label, index, { keep = () => true, ...more } = {}) =>
    runs.map((run) =>
      lineOf(
        run,
        index,
        label,
        run.metrics.filter((line) => isNumber(line[name]) && keep(line)).map((line) => [line.step, line[name]]),
        more,
      ),
    );

  const heldOut = { dash: !isSingle };
  const CHARTS = [
    [
      'Loss',
      () => [...metricLines('loss', 'batch', 0, { quiet: true }), ...metricLines('eval_loss', 'held-out', 2, heldOut)],
    ],
    ['Perplexity', () => metricLines('eval_perplexity', 'held-out', 2, { isAlone: true })],
    [
      'Offline and online loss',
      () => [
        ...metricLines('loss/offline', 'offline', 0, { quiet: true }),
        ...metricLines('loss/online', 'online', 1, { quiet: true, dash: !isSingle }),
      ],
    ],
    [
      'Accuracy',
      () => [
        ...metricLines('rewards/accuracies', 'batch', 0, { quiet: true, keep: (line) => !isTied(line) }),
        ...metricLines('eval_rewards/accuracies', 'held-out', 2, {
          ...heldOut,
          keep: (line) => !isTied(line, 'eval_'),
        }),
      ],
      { y: [0, 1.02] },
    ],
    [
      'Margin',
      () => [
        ...metricLines('rewards/margins', 'batch', 0, { quiet: true }),
        ...metricLines('eval_rewards/margins', 'held-out', 2, heldOut),
      ],
    ],
    [
      'Implicit reward',
      () => [
        ...metricLines('rewards/chosen', 'chosen', 0, { quiet: true }),
        ...metricLines('rewards/rejected', 'rejected', 1, { quiet: true, dash: !isSingle }),
      ],
    ],
    ['Mean weight w', () => metricLines('meta/weight_mean', 'w', 3, { quiet: true, isAlone: true }), { y: [0, 1] }],
    ['Meta loss', () => metricLines('meta/loss', 'meta', 3, { isAlone: true })],
    ['Gradient norm', () => metricLines('grad_norm', 'before clipping', 5, { quiet: true, isAlone: true })],
  ];

  const drawTraining = () => {
    if (runs.every(({ metrics }) => metrics.length === 0)) return;
    const note = runs.some(({ iterations }) => iterations.length > 1)
      ? 'Steps count over all iterations; a dashed line marks where one begins. Implicit rewards are beta times the log-ratio of policy and reference.'
      : undefined;
    const parent = grid(section('Training', note), 'three');
    const marks = isSingle
      ? runs[0].metrics
          .filter((line, index, all) => index > 0 && line.iteration > all[index - 1].iteration)
          .map(({ step }) => step)
      : [];
    for (const [title, lines, options = {}] of CHARTS) lineChart(parent, title, 'step', lines(), { marks, ...options });
  };

  const drawTime = () => {
    const bars = runs.flatMap((run) =>
      run.iterations.map((one) => ({ name: labelOf(run, `iteration ${one.iteration + 1}`), seconds: one.seconds })),
    );
    if (bars.length === 0) return;
    const totalOf = ({ seconds }) => Object.values(seconds).reduce((sum, value) => sum + value, 0);
    const longest = Math.max(...bars.map(totalOf));
    const part = section('Time', 'Seconds of each stage, all bars on one scale. Sampling and reward calls overlap.');
    const swatch = (stage) => element('i', { class: `stage-${stage}` });
    part.append(element('ul', { class: 'legend' }, ...STAGES.map((stage) => element('li', {}, swatch(stage), stage))));
    for (const bar of bars) {
      const parts = STAGES.filter((stage) => bar.seconds[stage] > 0).map((stage) => {
        const seconds = bar.seconds[stage];
        const made = element(
          'span',
          { class: `stage-${stage}`, title: `${stage}: ${fixed(seconds, 2)} s` },
          seconds / longest > 0.06 ? duration(seconds) : '',
        );
        made.style.width = `${(100 * seconds) / longest}%`;
        return made;
      });
      const told = STAGES.map((stage) => `${stage} ${fixed(bar.seconds[stage] ?? 0, 2)} s`).join(', ');
      part.append(
        element(
          'div',
          { class: 'time' },
          element('b', {}, bar.name),
          element('div', { class: 'bar', role: 'img', 'aria-label': told }, ...parts),
          element('span', {}, duration(totalOf(bar))),
        ),
      );
    }
  };

  Object.assign(globalThis.report, { drawIterations, drawTraining, drawTime, grid });
})();
