import type { LossCurve } from './loss-curve.js';

const COLUMNS = 4;
const PANEL = { width: 240, height: 170, left: 40, right: 40, top: 26, bottom: 22 };
const INNER = {
  width: PANEL.width - PANEL.left - PANEL.right,
  height: PANEL.height - PANEL.top - PANEL.bottom,
};
const STYLE = `text { font: 10px system-ui, sans-serif; fill: #555 } .title { font-weight: 600; font-size: 12px; fill: #111 }
path { fill: none; stroke-width: 1.6 } .loss { stroke: #2563eb } .chosen { stroke: #ea580c } .rejected { stroke: #16a34a; stroke-dasharray: 4 3 }
.axis { stroke: #ccc; stroke-width: 1 } rect { fill: #fff; stroke: #ddd }`;

interface Scale {
  readonly low: number;
  readonly high: number;
}

/** One panel a loss: the loss on the left scale, the gradients on the right one. */
export function plotCurves(curves: readonly LossCurve[]): string {
  const rows = Math.ceil(curves.length / COLUMNS);
  const [width, height] = [COLUMNS * PANEL.width, rows * PANEL.height];
  const panels = curves.map((curve, index) => {
    const [x, y] = [(index % COLUMNS) * PANEL.width, Math.floor(index / COLUMNS) * PANEL.height];
    return `<g transform="translate(${x} ${y})">${panel(curve)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<style>${STYLE}</style>`,
    `<rect width="${width}" height="${height}" style="stroke: none"/>`,
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function panel({ id, margins, loss, chosenPush, rejectedPush }: LossCurve): string {
  const left = scaleOf(loss);
  const right = scaleOf([...chosenPush, ...rejectedPush, 0]);
  const [first, last] = [margins[0]!, margins.at(-1)!];
  const at = (scale: Scale, values: readonly number[]): string => pathOf(margins, values, scale);
  const bottom = PANEL.top + INNER.height;
  const zero = PANEL.top + INNER.height * (1 - (0 - right.low) / (right.high - right.low));
  const middle = PANEL.left + INNER.width / 2;
  return [
    `<text class="title" x="${PANEL.left}" y="16">${id}</text>`,
    `<rect x="${PANEL.left}" y="${PANEL.top}" width="${INNER.width}" height="${INNER.height}"/>`,
    `<path class="axis" d="M${middle} ${PANEL.top}V${bottom}M${PANEL.left} ${number(zero)}h${INNER.width}"/>`,
    `<path class="loss" d="${at(left, loss)}"/>`,
    `<path class="chosen" d="${at(right, chosenPush)}"/>`,
    `<path class="rejected" d="${at(right, rejectedPush)}"/>`,
    label(PANEL.left - 3, PANEL.top + 8, 'end', left.high),
    label(PANEL.left - 3, bottom, 'end', left.low),
    label(PANEL.left + INNER.width + 3, PANEL.top + 8, 'start', right.high),
    label(PANEL.left + INNER.width + 3, bottom, 'start', right.low),
    label(PANEL.left, bottom + 13, 'start', first),
    label(middle, bottom + 13, 'middle', 0),
    label(PANEL.left + INNER.width, bottom + 13, 'end', last),
  ].join('');
}

function scaleOf(values: readonly number[]): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high - low < 1e-6 ? { low: low - 0.5, high: high + 0.5 } : { low, high };
}

function pathOf(margins: readonly number[], values: readonly number[], { low, high }: Scale): string {
  const points = values.map((value, index) => {
    const x = PANEL.left + (INNER.width * index) / (margins.length - 1);
    const y = PANEL.top + INNER.height * (1 - (value - low) / (high - low));
    return `${number(x)} ${number(y)}`;
  });
  return `M${points.join('L')}`;
}

/** Rounded, so that machines whose last bits differ draw the same picture. */
const number = (value: number): string => String(Math.round(value * 10) / 10);

function label(x: number, y: number, anchor: string, value: number): string {
  const size = Math.abs(value);
  const text = size >= 1e4 ? value.toExponential(0).replace('+', '') : size < 1e-3 ? '0' : rounded(value);
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
}

const rounded = (value: number): string => String(Number(value.toPrecision(2)));
