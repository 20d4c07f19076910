import { plainText } from '@metaapo/core/contracts';
import { draw } from './guarded-output.js';

/** Shows how far a stage is: a line that is redrawn on a terminal, plain lines elsewhere. */
export interface Progress {
  /** `done` of `total` units; `details` such as `loss 0.61` follow, the most important first. */
  update(done: number, total: number, details?: readonly string[]): void;
  /** A line that stays. */
  line(text: string): void;
  /** Ends the stage. */
  end(): void;
}

/** How a stage begins. */
export interface ProgressOptions {
  /** Units that were done before, by a process that was interrupted; default 0. */
  readonly from?: number;
  /** When the first unit was begun, as `performance.now()` tells; default now. */
  readonly startedAt?: number;
  /** Default stderr. */
  readonly stream?: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>;
}

const BAR_WIDTH = 16;
const DEFAULT_COLUMNS = 80;
const PLAIN_INTERVAL_MS = 10_000;
const REDRAW_INTERVAL_MS = 80;

/** Progress of one stage. */
export function createProgress(stage: string, options: ProgressOptions = {}): Progress {
  const { from = 0, startedAt = performance.now(), stream = process.stderr } = options;
  let lastShown = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  const clear = (): void => {
    if (isDrawn) draw(stream, '\r\x1b[2K');
    isDrawn = false;
  };
  return {
    update(done, total, details = []) {
      const now = performance.now();
      if (done < total && now - lastShown < (stream.isTTY ? REDRAW_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
      lastShown = now;
      const time = timeText({ done: done - from, left: total - done, seconds: (now - startedAt) / 1000 });
      const text = [`${stage} ${done}/${total}`, time, ...details].join('  ');
      if (!stream.isTTY) return void stream.write(`${text}\n`);
      const line = `[${barOf(done, total)}] ${text}`;
      const width = Math.max(BAR_WIDTH, (stream.columns ?? DEFAULT_COLUMNS) - 1);
      draw(stream, `\r\x1b[2K${plainText(line).slice(0, width)}`);
      isDrawn = true;
    },
    line(text) {
      clear();
      stream.write(`${text}\n`);
    },
    end() {
      if (isDrawn) stream.write('\n');
      isDrawn = false;
    },
  };
}

function barOf(done: number, total: number): string {
  return '='.repeat(Math.round((BAR_WIDTH * done) / Math.max(1, total))).padEnd(BAR_WIDTH);
}

/** How long it still takes at the pace so far; how long it took once nothing is left. */
function timeText(pace: { readonly done: number; readonly left: number; readonly seconds: number }): string {
  const { done, left, seconds } = pace;
  return done <= 0 || left <= 0 ? `${seconds.toFixed(1)} s` : `ETA ${durationText((seconds * left) / done)}`;
}

/** `75` as `1 min 15 s`. */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
