// The top of the page: what was run, and what it came to.
(() => {
  const { runs, isSingle, element, table, fixed, percent, signed, whole, duration, kindOf, factsOf, figuresOf } =
    globalThis.report;
  const header = document.getElementById('header');
  const dateOf = ({ date }) => new Date(date).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

  const tile = (name, value, note) =>
    element(
      'div',
      {},
      element('dt', {}, name),
      element('dd', {}, value, note === undefined ? undefined : element('small', {}, note)),
    );
  const change = ({ first, last }) => (first === last ? fixed(last) : `${fixed(first)} → ${fixed(last)}`);

  const tilesOf = (run) => {
    const figures = figuresOf(run);
    const { rewardBefore, rewardAfter, share, calls, callsOfAll, saved } = figures;
    const tiles = [];
    if (rewardAfter !== undefined)
      tiles.push(
        tile(
          'Held-out reward',
          `${fixed(rewardBefore)} → ${fixed(rewardAfter)}`,
          `${signed(rewardAfter - rewardBefore)} on new responses to held-out prompts`,
        ),
      );
    if (share !== undefined) {
      tiles.push(tile('Prompts annotated', percent(share), `${whole(figures.pairs)} online pairs came of them`));
      tiles.push(
        tile('Reward calls saved', percent(saved), `${whole(calls)} instead of online DPO's ${whole(callsOfAll)}`),
      );
    }
    if (figures.accuracy !== undefined)
      tiles.push(
        tile(
          figures.isHeldOut ? 'Held-out accuracy' : 'Accuracy of the last batch',
          percent(figures.accuracy),
          'pairs whose chosen response has the larger implicit reward',
        ),
      );
    if (share === undefined && figures.heldOutLoss.last !== undefined)
      tiles.push(tile('Held-out loss', change(figures.heldOutLoss)));
    if (figures.perplexity.last !== undefined) tiles.push(tile('Held-out perplexity', change(figures.perplexity)));
    if (share === undefined && figures.loss.last !== undefined) tiles.push(tile('Training loss', change(figures.loss)));
    tiles.push(tile('Run time', duration(figures.seconds), `${whole(figures.steps)} optimizer steps`));
    return element('dl', { class: 'tiles' }, ...tiles);
  };

  const drawOne = (run) => {
    header.append(element('p', { class: 'subtitle' }, `${kindOf(run)}, ${dateOf(run)}`), tilesOf(run));
    const facts = factsOf(run).map(([name, value]) => element('span', {}, element('b', {}, name), ` ${value}`));
    header.append(element('p', { class: 'facts' }, ...facts));
  };

  /** The largest of a column is set in bold, where there is more than one number to compare. */
  const best = (figures, read, text) => {
    const values = figures.map(read).filter((value) => value !== undefined);
    const most = Math.max(...values);
    return figures.map((one) => {
      const value = read(one);
      return value !== undefined && values.length > 1 && value === most
        ? element('strong', {}, text(value, one))
        : text(value, one);
    });
  };

  const drawSeveral = () => {
    header.firstChild.textContent = `${runs.length} runs compared`;
    const figures = runs.map(figuresOf);
    const after = best(
      figures,
      ({ rewardAfter }) => rewardAfter,
      (value, { rewardBefore }) => (value === undefined ? '–' : `${fixed(rewardBefore)} → ${fixed(value)}`),
    );
    const accuracy = best(
      figures,
      (one) => one.accuracy,
      (value) => percent(value),
    );
    const columns = [
      ['run', runs.map(({ name }) => name)],
      ['kind', runs.map(kindOf)],
      ['loss', runs.map(({ settings }) => settings?.loss?.id ?? '–')],
      ['held-out reward', after, figures.some(({ rewardAfter }) => rewardAfter !== undefined)],
      ['annotated', figures.map(({ share }) => percent(share)), figures.some(({ share }) => share !== undefined)],
      ['reward calls', figures.map(({ calls }) => whole(calls)), figures.some(({ calls }) => calls !== undefined)],
      ['accuracy', accuracy],
      ['held-out loss', figures.map(({ heldOutLoss }) => fixed(heldOutLoss.last))],
      ['steps', figures.map(({ steps }) => whole(steps))],
      ['time', figures.map(({ seconds }) => duration(seconds))],
      ['date', runs.map(dateOf)],
    ].filter(([, , isShown]) => isShown !== false);
    const rows = runs.map((_, index) => columns.map(([, cells]) => cells[index]));
    header.append(
      table(
        columns.map(([title]) => title),
        rows,
        { textColumns: [0, 1, 2] },
      ),
    );
  };

  globalThis.report.drawHeadline = () => (isSingle ? drawOne(runs[0]) : drawSeveral());
})();
