/** What a check throws: `part: fault`, in one sentence, whatever the test runner. */
export class ConformanceError extends Error {
  /** The part at fault, e.g. `loss dpo`. */
  readonly part: string;

  constructor(part: string, fault: string, cause?: unknown) {
    super(`${part}: ${fault}`, cause === undefined ? undefined : { cause });
    this.name = 'ConformanceError';
    this.part = part;
  }
}

/** Message of anything that was thrown. */
export function thrownMessage(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}
