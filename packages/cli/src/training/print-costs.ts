import type { PrimitiveCost } from '@metaapo/engine';

/** GFLOP/s of a large matrix product on this machine; absent where it was not measured. */
export type PeakRate = number | undefined;

/** `332 GFLOP/s, 72 % of this machine's peak`. */
export function rateOf(flops: number, seconds: number, peak: PeakRate): string {
  const rate = flops / seconds / 1e9;
  const share = peak === undefined ? '' : `, ${percent(rate, peak)} of this machine's peak`;
  return `${rate.toFixed(0)} GFLOP/s${share}`;
}

/** Prints a row for each primitive that takes a five-hundredth of the time or more. */
export function printCosts(costs: readonly PrimitiveCost[], peak: PeakRate): void {
  const total = costs.reduce((sum, { seconds }) => sum + seconds, 0);
  const lines = [['primitive', 'runs', 'ms', 'share', 'MB moved', 'GFLOP/s', 'of peak']];
  for (const { primitive, runs, seconds, bytes, flops } of costs) {
    if (seconds < total / 500) continue;
    const rate = flops / seconds / 1e9;
    const ofPeak = flops === 0 || peak === undefined ? '' : percent(rate, peak);
    const moved = (bytes / 1e6).toFixed(0);
    const rates = [flops === 0 ? '' : rate.toFixed(0), ofPeak];
    lines.push([primitive, String(runs), (1000 * seconds).toFixed(1), percent(seconds, total, 1), moved, ...rates]);
  }
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const line of lines) {
    const [first, ...rest] = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
    );
    process.stdout.write(`${[first, ...rest].join('  ').trimEnd()}\n`);
  }
}

const percent = (part: number, whole: number, digits = 0): string => `${((100 * part) / whole).toFixed(digits)} %`;
