/** Shows how far a stage is: a line that is redrawn on a terminal, plain lines elsewhere. */
export interface Progress {
  /** `done` of `total` units; `details` such as `loss 0.61` follow. */
  update(done: number, total: number, details?: string): void;
  /** A line that stays. */
  line(text: string): void;
  /** Ends the stage. */
  end(): void;
}

const BAR_WIDTH = 24;
const PLAIN_INTERVAL_MS = 10_000;

/**
 * Progress of one stage on a stream, stderr by default.
 * @param known units that were done before it began, and say nothing of its speed
 */
export function createProgress(stage: string, stream: NodeJS.WriteStream = process.stderr, known = 0): Progress {
  const started = performance.now();
  let lastShown = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  const clear = (): void => {
    if (isDrawn) stream.write('\r\x1b[2K');
    isDrawn = false;
  };
  return {
    update(done, total, details = '') {
      const now = performance.now();
      const isLast = done >= total;
      if (!isLast && now - lastShown < (stream.isTTY ? 80 : PLAIN_INTERVAL_MS)) return;
      lastShown = now;
      const seconds = (now - started) / 1000;
      const text = [`${stage} ${done}/${total}`, details, etaText(done, total, seconds, known)]
        .filter(Boolean)
        .join('  ');
      if (stream.isTTY) {
        const filled = Math.round((BAR_WIDTH * done) / Math.max(1, total));
        const bar = '='.repeat(filled).padEnd(BAR_WIDTH);
        stream.write(`\r\x1b[2K[${bar}] ${text.slice(0, Math.max(20, (stream.columns ?? 80) - BAR_WIDTH - 4))}`);
        isDrawn = true;
      } else {
        stream.write(`${text}\n`);
      }
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

function etaText(done: number, total: number, seconds: number, known: number): string {
  if (done <= known || done >= total) return `${seconds.toFixed(1)} s`;
  return `ETA ${durationText((seconds * (total - done)) / (done - known))}`;
}

/** `75` as `1 min 15 s`. */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
