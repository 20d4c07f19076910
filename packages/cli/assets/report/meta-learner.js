// The meta-learner: its curve and the weights that it gave, iteration by iteration.
(() => {
  const { runs, isSingle, element, section, lineChart, histogram, ramp } = globalThis.report;
  const range = ({ scores }) => [scores[0], scores.at(-1)];

  const drawRun = (part, run) => {
    const { iterations } = run;
    const parent = part.appendChild(element('div', { class: 'meta' }));
    const [{ curve: first }] = iterations;
    const pointsOf = ({ scores }, values) => scores.map((score, index) => [score, values[index]]);
    const lines = iterations.map((one) => ({
      label: `after ${one.iteration + 1}`,
      points: pointsOf(one.curve, one.curve.after),
      color: () => ramp(one.iteration, iterations.length),
    }));
    lines.unshift({ label: 'start', points: pointsOf(first, first.before), color: 5, dash: true });
    const title = `Weight h(s) of an offline pair${isSingle ? '' : `, ${run.name}`}`;
    lineChart(parent, title, 'score s', lines, { x: range(first), y: [0, 1], restAt: 0, height: 300 });
    const histograms = parent.appendChild(element('div', { class: 'histograms' }));
    const most = Math.max(1, ...iterations.flatMap(({ weightHistogram }) => weightHistogram));
    for (const one of iterations.filter(({ weightHistogram }) => weightHistogram.length > 0)) {
      histogram(histograms, `Weights in iteration ${one.iteration + 1}`, one.weightHistogram, most, () =>
        ramp(one.iteration, iterations.length),
      );
    }
  };

  globalThis.report.drawMetaLearner = () => {
    const drawn = runs.filter(({ iterations }) => iterations.length > 0);
    if (drawn.length === 0) return;
    const part = section(
      'Meta-learner',
      'The score s says how well the policy fits an offline pair. h(s) is the weight of that pair; with probability 1 - h(s) the prompt is answered anew by the policy. The curve rises where offline pairs train better than online ones.',
    );
    for (const run of drawn) drawRun(part, run);
  };
})();
