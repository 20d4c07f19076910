// Draws the report from the data in the page. Runs in the browser; uPlot is in the page already.
(() => {
  const { runs } = JSON.parse(document.getElementById('report-data').textContent);
  const COLORS = ['#4a7fc1', '#d1603d', '#4c9f70', '#9b5fc0', '#c9a227', '#5b6770', '#c2527c', '#2a9d9d'];
  const STAGE_COLORS = {
    score: '#5b6770',
    select: '#c9a227',
    sample: '#4a7fc1',
    reward: '#d1603d',
    pair: '#9b5fc0',
    train: '#4c9f70',
  };
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;

  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const section = (title, note) => {
    document.body.append(element('h2', title));
    if (note) document.body.append(element('p', note, { class: 'note' }));
  };
  const grid = () => document.body.appendChild(element('div', undefined, { class: 'grid' }));
  const fixed = (value, digits = 3) => (value === undefined || value === null ? '-' : value.toFixed(digits));
  const isSingle = runs.length === 1;
  const labelOf = (run, name) => (isSingle ? name : `${run.name}${name ? `: ${name}` : ''}`);

  /** Points [x, y] of several lines on one axis of all their x. */
  const align = (lines) => {
    const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
    const columns = lines.map(({ points }) => {
      const known = new Map(points);
      return xs.map((x) => known.get(x) ?? null);
    });
    return [xs, ...columns];
  };

  const plot = (parent, title, xLabel, lines, options = {}) => {
    const drawn = lines.filter(({ points }) => points.length > 0);
    if (drawn.length === 0) return;
    const box = parent.appendChild(element('div'));
    box.append(element('h3', title));
    const axis = { stroke: isDark ? '#bbb' : '#444', grid: { stroke: '#8883' }, ticks: { stroke: '#8883' } };
    const series = drawn.map(({ label, dash }, index) => ({
      label,
      stroke: COLORS[index % COLORS.length],
      width: 1.6,
      spanGaps: true,
      points: { show: drawn[index].points.length < 20 },
      ...(dash ? { dash: [4, 4] } : {}),
      ...(options.series ?? {}),
    }));
    const width = Math.max(320, Math.min(520, box.clientWidth || 480));
    new uPlot(
      {
        width,
        height: 240,
        scales: { x: { time: false } },
        axes: [{ ...axis, label: xLabel }, axis],
        series: [{ label: xLabel }, ...series],
      },
      align(drawn),
      box,
    );
  };

  const metricLines = (name, label = '') =>
    runs.map((run) => ({
      label: labelOf(run, label || name),
      points: run.metrics.filter((line) => typeof line[name] === 'number').map((line) => [line.step, line[name]]),
    }));

  const table = (titles, rows, textColumns = new Set()) => {
    const made = element('table');
    const kind = (index) => (textColumns.has(index) ? { class: 'text' } : {});
    const head = made.createTHead().insertRow();
    for (const [index, title] of titles.entries()) head.append(element('th', title, kind(index)));
    const body = made.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      for (const [index, cell] of row.entries()) line.append(element('td', cell, kind(index)));
    }
    document.body.append(made);
    return body;
  };

  const drawSummary = () => {
    section(
      'Iterations',
      'Saved: reward calls that online DPO, which annotates every prompt, would have made beyond these. ' +
        'KL: nats a response between policy and reference when the iteration began, estimated on new responses.',
    );
    const rows = runs.flatMap((run) =>
      run.iterations.map((one) => [
        isSingle ? String(one.iteration + 1) : `${run.name} ${one.iteration + 1}`,
        String(one.rows),
        `${((100 * one.selected) / one.rows).toFixed(1)} %`,
        String(one.annotations.done),
        String(one.annotations.ofAll - one.annotations.done),
        fixed(one.rewards.all),
        fixed(one.rewards.chosen),
        fixed(one.rewards.rejected),
        String(one.pairs.pairs),
        String(one.pairs.tie + one.pairs.twins + one.pairs['too-few'] + (one.pairs['not-better'] ?? 0)),
        String(one.pairs.truncated),
        fixed(one.kl?.perResponse),
        fixed(one.heldOutReward),
      ]),
    );
    const titles = ['iteration', 'rows', 'annotated', 'calls', 'saved', 'reward', 'chosen', 'rejected', 'pairs'];
    table([...titles, 'no pair', 'cut', 'KL', 'held-out'], rows);
    for (const run of runs) {
      if (typeof run.rewardBefore !== 'number') continue;
      const after = run.iterations.at(-1)?.heldOutReward;
      document.body.append(
        element(
          'p',
          `${isSingle ? '' : `${run.name}: `}held-out reward ${fixed(run.rewardBefore)} before, ${fixed(after)} after`,
        ),
      );
    }
  };

  const drawMetrics = () => {
    section(
      'Training',
      'Steps count over all iterations. Rewards are beta times the log-ratio of policy and reference.',
    );
    const parent = grid();
    plot(parent, 'Loss', 'step', [...metricLines('loss'), ...metricLines('eval_loss', 'held-out')]);
    plot(parent, 'Perplexity', 'step', metricLines('eval_perplexity', 'held-out'));
    plot(parent, 'Offline and online loss', 'step', [
      ...metricLines('loss/offline', 'offline'),
      ...metricLines('loss/online', 'online'),
    ]);
    plot(parent, 'Accuracy', 'step', [
      ...metricLines('rewards/accuracies', 'batch'),
      ...metricLines('eval_rewards/accuracies', 'held-out'),
    ]);
    plot(parent, 'Margin', 'step', [
      ...metricLines('rewards/margins', 'batch'),
      ...metricLines('eval_rewards/margins', 'held-out'),
    ]);
    plot(parent, 'Reward of chosen and rejected', 'step', [
      ...metricLines('rewards/chosen', 'chosen'),
      ...metricLines('rewards/rejected', 'rejected'),
    ]);
    plot(parent, 'Gradient norm', 'step', metricLines('grad_norm'));
    plot(parent, 'Mean weight w', 'step', metricLines('meta/weight_mean', 'w'));
    plot(parent, 'Meta loss', 'step', metricLines('meta/loss'));
  };

  const drawMetaLearner = () => {
    if (runs.every(({ iterations }) => iterations.length === 0)) return;
    section(
      'Meta-learner',
      'Left: the weight h(s) of an offline pair with preference score s. A prompt is sampled again with probability 1 - h(s). Right: how many rows had which weight when they were selected.',
    );
    const parent = grid();
    for (const run of runs) {
      const curve = ({ scores }, values) => scores.map((score, index) => [score, values[index]]);
      const lines = run.iterations.map((one) => ({
        label: labelOf(run, `after ${one.iteration + 1}`),
        points: curve(one.curve, one.curve.after),
      }));
      const [first] = run.iterations;
      if (first)
        lines.unshift({ label: labelOf(run, 'start'), points: curve(first.curve, first.curve.before), dash: true });
      plot(parent, `h(s)${isSingle ? '' : ` of ${run.name}`}`, 'score s', lines);
      const bars = run.iterations.map((one) => ({
        label: labelOf(run, `iteration ${one.iteration + 1}`),
        points: one.weightHistogram.map((count, bin) => [bin / 10 + 0.05, count]),
      }));
      plot(parent, `Weights${isSingle ? '' : ` of ${run.name}`}`, 'w', bars, {
        series: { paths: uPlot.paths.stepped({ align: 0 }), points: { show: false } },
      });
    }
  };

  const drawStages = () => {
    section('Time', 'Seconds of each stage. Sampling and reward calls overlap.');
    for (const run of runs) {
      for (const one of run.iterations) {
        const entries = Object.entries(one.seconds).filter(([, seconds]) => seconds > 0);
        const total = entries.reduce((sum, [, seconds]) => sum + seconds, 0);
        document.body.append(
          element('h3', `${isSingle ? '' : `${run.name}, `}iteration ${one.iteration + 1}: ${total.toFixed(1)} s`),
        );
        const bar = document.body.appendChild(element('div', undefined, { class: 'stages' }));
        for (const [stage, seconds] of entries) {
          const part = element('span', `${stage} ${seconds.toFixed(1)} s`, {
            title: `${stage} ${seconds.toFixed(2)} s`,
          });
          part.style.width = `${(100 * seconds) / total}%`;
          part.style.background = STAGE_COLORS[stage] ?? '#888';
          bar.append(part);
        }
      }
    }
  };

  const drawSamples = () => {
    const samples = runs.flatMap((run) =>
      run.iterations.flatMap((one) => one.samples.map((sample) => ({ run, one, sample }))),
    );
    if (samples.length === 0) return;
    section(
      'Samples',
      'A few rows of each iteration: the offline pair of the data set beside the online pair that was sampled, with rewards.',
    );
    const search = element('input', undefined, {
      type: 'search',
      placeholder: 'Search prompts and responses',
      'aria-label': 'Search samples',
    });
    document.body.append(search);
    const rows = samples.map(({ run, one, sample }) => [
      `${isSingle ? '' : `${run.name} `}${one.iteration + 1}/${sample.row}`,
      sample.prompt,
      sample.offline?.chosen ?? '-',
      sample.offline?.rejected ?? '-',
      `${sample.online.chosen.text}\n[${fixed(sample.online.chosen.reward)}]`,
      `${sample.online.rejected.text}\n[${fixed(sample.online.rejected.reward)}]`,
      fixed(sample.weight),
    ]);
    const titles = [
      'iteration/row',
      'prompt',
      'offline chosen',
      'offline rejected',
      'online chosen [reward]',
      'online rejected [reward]',
      'w',
    ];
    const body = table(titles, rows, new Set([1, 2, 3, 4, 5]));
    search.addEventListener('input', () => {
      const wanted = search.value.toLowerCase();
      for (const line of body.rows) line.hidden = !line.textContent.toLowerCase().includes(wanted);
    });
  };

  const drawRecipes = () => {
    section('Recipe');
    for (const run of runs) {
      if (!isSingle) document.body.append(element('h3', run.name));
      document.body.append(element('pre', run.recipe));
    }
  };

  if (runs.some(({ iterations }) => iterations.length > 0)) drawSummary();
  drawMetrics();
  drawMetaLearner();
  if (runs.some(({ iterations }) => iterations.length > 0)) drawStages();
  drawSamples();
  drawRecipes();
})();
