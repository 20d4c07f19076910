import type { MetaapoError } from '@metaapo/core/contracts';

/**
 * What went wrong:
 * `unanswered`: no reply, or one that says to come again; `conflict`: the name or the number was used before; `lost`: the
 * service does not know the model, the session or the result any more; `refused`: it will not do it, however often.
 */
export type FailureKind = 'unanswered' | 'conflict' | 'lost' | 'refused';

/** A failure of a request to the service, before it is decided what follows from it. */
export class ServiceFailure extends Error {
  readonly kind: FailureKind;
  /** The error to end with. */
  readonly final: MetaapoError;
  /** Status of the reply; absent where there was none. */
  readonly status: number | undefined;
  /** False where the service cannot have begun what it was asked for. */
  readonly mayHaveArrived: boolean;
  /** Wait that the service asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: FailureKind,
    final: MetaapoError,
    more: {
      readonly status?: number;
      readonly mayHaveArrived?: boolean;
      readonly retryAfterMs?: number | undefined;
    } = {},
  ) {
    super(final.message, { cause: final });
    this.kind = kind;
    this.final = final;
    this.status = more.status;
    this.mayHaveArrived = more.mayHaveArrived ?? true;
    this.retryAfterMs = more.retryAfterMs;
  }

  /** The same failure as one of another kind. */
  as(kind: FailureKind): ServiceFailure {
    const { status, mayHaveArrived, retryAfterMs } = this;
    return new ServiceFailure(kind, this.final, {
      ...(status !== undefined && { status }),
      mayHaveArrived,
      retryAfterMs,
    });
  }
}

/** The failure as the caller of a part sees it; anything else as it is. */
export function finalError(error: unknown): unknown {
  return error instanceof ServiceFailure ? error.final : error;
}

/** True for a failure of this kind. */
export function isFailure(error: unknown, kind: FailureKind): error is ServiceFailure {
  return error instanceof ServiceFailure && error.kind === kind;
}
