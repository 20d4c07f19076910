// Line charts by uPlot, with a legend that says something at rest too, and small histograms.
(() => {
  const { element, fixed, isNumber } = globalThis.report;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const colored = [];
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** A colour between those of the first and the last iteration. */
  const ramp = (at, count) => {
    const share = count < 2 ? 1 : at / (count - 1);
    const [from, to] = ['ramp-from', 'ramp-to'].map((name) =>
      color(name)
        .match(/\w\w/g)
        .map((byte) => Number.parseInt(byte, 16)),
    );
    return `rgb(${from.map((start, index) => Math.round(start + share * (to[index] - start))).join(', ')})`;
  };

  /** Points [x, y] of several lines on one axis of all their x. */
  const align = (lines) => {
    const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
    const columns = lines.map(({ points }) => {
      const known = new Map(points);
      return xs.map((x) => known.get(x) ?? null);
    });
    return [xs, ...columns];
  };

  /** As many decimals as the distance of two ticks has. */
  const decimals = (increment) =>
    [0, 1, 2, 3, 4, 5].find((count) => Math.abs(increment - Number(increment.toFixed(count))) < increment / 1e6) ?? 6;
  const ticks = (_, splits, _axis, _space, increment) => splits.map((value) => fixed(value, decimals(increment)));
  const WHOLE_STEPS = [1, 2, 5]
    .flatMap((digit) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map((power) => digit * power))
    .sort((a, b) => a - b);

  /** Bounds with room around the values; equal values lie in the middle. */
  const roomy = (_, least, most) => {
    if (!isNumber(least) || !isNumber(most)) return [0, 1];
    const span = Math.max(most - least, 0.04 * Math.max(Math.abs(least), Math.abs(most)), 1e-3);
    const middle = (least + most) / 2;
    return [middle - 0.56 * span, middle + 0.56 * span];
  };

  /** The legend shows values at the pointer; at rest the last ones, or those at a given x. */
  const legendOf = (lines, xLabel, restAt) => {
    const at = (x) => `${xLabel} ${fixed(x, Number.isInteger(x) ? 0 : 1)}`;
    const isRestGiven = restAt !== undefined;
    const rest = lines.map(({ points }) => (isRestGiven ? points.find(([x]) => x === restAt) : points.at(-1))?.[1]);
    const restText = isRestGiven ? at(restAt) : 'latest';
    const position = element('span', { class: 'position' }, restText);
    const values = rest.map((value) => element('b', {}, fixed(value)));
    const items = lines.map(({ label, stroke, dash }, index) => {
      const swatch = element('i', { class: dash ? 'dashed' : undefined });
      swatch.style.borderColor = stroke();
      return element('li', {}, swatch, `${label} `, values[index]);
    });
    const show = ({ cursor: { idx }, data: [xs, ...columns] }) => {
      const isAt = isNumber(idx);
      position.textContent = isAt ? at(xs[idx]) : restText;
      for (const [index, value] of values.entries())
        value.textContent = fixed(isAt ? columns[index][idx] : rest[index]);
    };
    const recolor = () => {
      for (const [index, item] of items.entries()) item.firstChild.style.borderColor = lines[index].stroke();
    };
    return { list: element('ul', { class: 'legend' }, element('li', {}, position), ...items), show, recolor };
  };

  /** Vertical lines where iterations begin. */
  const drawMarks = (marks) => (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = color('line');
    ctx.setLineDash([3, 4]);
    for (const mark of marks) {
      const x = Math.round(plot.valToPos(mark, 'x', true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };

  /**
   * A line chart in `parent`. Lines: label, points [[x, y]], color (number of a series colour, or a function), dash, quiet
   * (thin). Options: x and y as fixed bounds, marks, restAt, height.
   */
  const lineChart = (parent, title, xLabel, lines, { x, y, marks = [], restAt, height = 210 } = {}) => {
    const drawn = lines
      .filter(({ points }) => points.length > 0)
      .map((line, index) => {
        const own = line.color ?? index;
        return { ...line, stroke: typeof own === 'function' ? own : () => color(`series-${own % 8}`) };
      });
    if (drawn.length === 0) return;
    const told = drawn.map(({ label, points }) => `${label} from ${fixed(points[0][1])} to ${fixed(points.at(-1)[1])}`);
    const box = element('div', { role: 'img', 'aria-label': `${title} by ${xLabel}: ${told.join('; ')}` });
    const legend = legendOf(drawn, xLabel, restAt);
    const caption = element('figcaption', {}, title);
    const figure = parent.appendChild(element('figure', {}, caption, box, legend.list));
    const axis = {
      stroke: () => color('quiet'),
      grid: { stroke: () => color('grid'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif',
      labelFont: '12px system-ui, sans-serif',
      values: ticks,
    };
    const series = drawn.map(({ label, stroke, dash, quiet, points }) => ({
      label,
      stroke,
      width: quiet ? 1.1 : 2,
      spanGaps: true,
      points: { show: !quiet && points.length < 12, size: 6, fill: stroke },
      ...(dash ? { dash: [5, 4] } : {}),
    }));
    const plot = new uPlot(
      {
        width: Math.max(240, box.clientWidth),
        height,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { x: { time: false, ...(x ? { range: () => x } : {}) }, y: { range: y ? () => y : roomy } },
        axes: [
          { ...axis, label: xLabel, labelSize: 18, size: 30, incrs: WHOLE_STEPS },
          { ...axis, size: 48 },
        ],
        series: [{ label: xLabel }, ...series],
        hooks: { setCursor: [legend.show], draw: [drawMarks(marks)] },
      },
      align(drawn),
      box,
    );
    colored.push({ plot, recolor: legend.recolor });
    new ResizeObserver(() => {
      const width = Math.floor(box.clientWidth);
      if (width > 0 && width !== plot.width) plot.setSize({ width, height });
    }).observe(figure);
  };

  const svg = (tag, attributes, text) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  /** Counts in equal bins of [0, 1]; `most` is the count at the top, the same for histograms that are compared. */
  const histogram = (parent, title, counts, most, stroke) => {
    const [width, height, left] = [250, 96, 34];
    const total = counts.reduce((sum, count) => sum + count, 0);
    const drawing = svg('svg', {
      viewBox: `0 0 ${left + width + 10} ${height + 26}`,
      role: 'img',
      'aria-label': `${title}: rows by weight from 0 to 1: ${counts.join(', ')}`,
    });
    for (const share of [0, 0.5, 1]) {
      drawing.append(svg('text', { x: left + share * width, y: height + 21, 'text-anchor': 'middle' }, String(share)));
      const y = 6 + (1 - share) * height;
      drawing.append(svg('line', { x1: left, x2: left + width, y1: y, y2: y, class: 'grid' }));
      if (share !== 0.5)
        drawing.append(svg('text', { x: left - 6, y: y + 4, 'text-anchor': 'end' }, String(share * most)));
    }
    for (const [bin, count] of counts.entries()) {
      const [x, size] = [left + (bin * width) / counts.length, (count / most) * height];
      const bar = svg('rect', {
        x: x + 1,
        y: 6 + height - size,
        width: width / counts.length - 2,
        height: size,
        fill: stroke(),
      });
      bar.append(svg('title', {}, `w ${bin / counts.length} to ${(bin + 1) / counts.length}: ${count} rows`));
      drawing.append(bar);
    }
    const caption = element('figcaption', {}, title, element('small', {}, ` ${total} rows`));
    parent.append(element('figure', { class: 'histogram' }, caption, drawing));
    const recolor = () => {
      for (const bar of drawing.querySelectorAll('rect')) bar.setAttribute('fill', stroke());
    };
    colored.push({ recolor });
  };

  dark.addEventListener('change', () => {
    for (const { plot, recolor } of colored) {
      plot?.redraw(false, true);
      recolor();
    }
  });
  Object.assign(globalThis.report, { lineChart, histogram, ramp });
})();
