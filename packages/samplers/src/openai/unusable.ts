import { type Fault, isMetaapoError, MetaapoError, type SampledResponse } from '@metaapo/core/contracts';
import { statusOf } from '@metaapo/core/http';

/** A row whose request a server refuses, as one that is longer than its context; others are answered. */
export class RefusedRow {
  readonly row: number;
  readonly refusal: MetaapoError;

  constructor(row: number, refusal: MetaapoError) {
    this.row = row;
    this.refusal = refusal;
  }
}

/** Statuses that say that a request is wrong in itself. */
const WRONG_REQUEST = [400, 413, 422];

/** True for an error that says that a request is wrong in itself, which another may not be. */
export function isWrongRequest(error: unknown): error is MetaapoError {
  return isMetaapoError(error) && WRONG_REQUEST.includes(statusOf(error) ?? 0);
}

/** Most rows that a message lists. */
const SHOWN = 10;

/** The error of rows that were refused, when all others are answered. */
export function refusedRowsError(where: string, refused: readonly RefusedRow[]): MetaapoError {
  const rows = refused.map(({ row }) => row).sort((a, b) => a - b);
  const shown =
    rows.length > SHOWN ? `${rows.slice(0, SHOWN).join(', ')} and ${rows.length - SHOWN} more` : rows.join(', ');
  const { refusal } = refused[0]!;
  return new MetaapoError('network', 'the server refuses what is asked for; all other rows are answered', {
    where: `${where}, ${rows.length === 1 ? 'row' : 'rows'} ${shown}`,
    got: refusal.fault.got ?? refusal.message,
    remedy:
      'Change what the reply names, or leave such rows out: a lower data.maxLength with longPrompt: drop, a lower ' +
      'maxNewTokens, or a longer context of the server',
    cause: refusal,
  });
}

/** A response that the policy did not end, or not all of which came. */
export class OddResponse {
  /** What is odd, in a few words, e.g. `finish_reason content_filter`. */
  readonly reason: string;
  readonly summary: string;
  readonly fault: Fault & { readonly remedy: string };
  /** Whether the server may do better when it is asked the same again. */
  readonly mayPass: boolean;

  constructor(reason: string, summary: string, fault: OddResponse['fault'], mayPass = false) {
    this.reason = reason;
    this.summary = summary;
    this.fault = fault;
    this.mayPass = mayPass;
  }

  /** What to end with where nothing better comes. */
  toError(): MetaapoError {
    return new MetaapoError('network', this.summary, { ...this.fault, cause: this });
  }
}

/** The odd response that an error is about, where it is about one. */
export function oddResponseOf(error: unknown): OddResponse | undefined {
  const cause = (error as Error | undefined)?.cause;
  return cause instanceof OddResponse ? cause : undefined;
}

/** What stands in the place of a response that cannot be used: nothing was said, and nothing ended it. */
const NOTHING: SampledResponse = Object.freeze({ text: '', tokens: new Int32Array(), finishReason: 'length' });

/** Responses of which more than half are odd, from this number on, are no accidents. */
const ENOUGH = 8;

/** Counts the responses that cannot be used, beside the others. */
export interface ResponseTally {
  /**
   * Sees a response as it first comes, before it is drawn anew.
   * @throws MetaapoError with code `network` where most that came so far cannot be used
   */
  see(response: SampledResponse | OddResponse): void;
  /** The response that it comes to, or what stands in the place of one that cannot be used. */
  settle(response: SampledResponse | OddResponse): SampledResponse;
  /**
   * Says in a line how many could not be used.
   * @throws MetaapoError with code `network` where none could
   */
  end(report: (line: string) => void): void;
}

/** A tally of the responses to some requests. */
export function createResponseTally(service: string): ResponseTally {
  const seen = { odd: 0, usable: 0 };
  const odd: OddResponse[] = [];
  let usable = 0;
  return {
    see(response) {
      seen[response instanceof OddResponse ? 'odd' : 'usable']++;
      if (response instanceof OddResponse && seen.odd >= ENOUGH && seen.odd > seen.usable) {
        throw unusableError(response, seen.odd, seen.odd + seen.usable);
      }
    },
    settle(response) {
      if (response instanceof OddResponse) odd.push(response);
      else usable++;
      return response instanceof OddResponse ? NOTHING : response;
    },
    end(report) {
      if (odd.length === 0) return;
      const all = odd.length + usable;
      if (usable === 0) throw unusableError(odd[0]!, odd.length, all);
      const reasons = [...new Set(odd.map(({ reason }) => reason))];
      const shown = reasons.map((reason) => `${odd.filter((one) => one.reason === reason).length} with ${reason}`);
      report(
        `${service}: ${odd.length} of ${all} responses cannot be used and count as empty: ${shown.join(', ')}. ` +
          `${odd[0]!.fault.remedy}.`,
      );
    },
  };
}

function unusableError({ summary, fault }: OddResponse, number: number, all: number): MetaapoError {
  return new MetaapoError('network', `${number} of ${all} responses cannot be used; one of them: ${summary}`, fault);
}
