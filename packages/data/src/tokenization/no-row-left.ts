import { MetaapoError } from '@metaapo/core/contracts';

/** The error of a data set of which no row is left, with the report that says why. */
export function noRowLeft({ rows, summary }: { readonly rows: number; readonly summary: string }): MetaapoError {
  return new MetaapoError('data', 'no row is left', {
    where: 'the data set',
    expected: 'at least one row within the length limits',
    got: summary,
    remedy: rows === 0 ? 'Give files that hold rows' : 'Raise maxLength, or choose truncate: response-tail',
  });
}
