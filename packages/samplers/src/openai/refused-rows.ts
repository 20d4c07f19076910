import { isMetaapoError, MetaapoError } from '@metaapo/core/contracts';
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

/** Most rows that a message lists. */
const SHOWN = 10;
