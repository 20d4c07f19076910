import type { RowOrigin, Tokenizer } from '@metaapo/core/contracts';
import { rowError } from '../rows/data-row.js';
import type { SplitIds } from './split-at-boundary.js';

/**
 * Checks the ids of a row: each in the vocabulary, not two BOS tokens first, at least one in each part.
 * @throws MetaapoError with code `data` naming the row
 */
export function checkIds(
  origin: RowOrigin,
  ids: SplitIds,
  tokenizer: Tokenizer | undefined,
  vocabularySize: number | undefined,
): void {
  const sequences = [ids.prompt, ...ids.responses];
  if (vocabularySize !== undefined) checkVocabulary(origin, sequences, vocabularySize);
  const [first, second] = [...ids.prompt.subarray(0, 2), ...(ids.responses[0]?.subarray(0, 2) ?? [])];
  if (first !== undefined && first === tokenizer?.bosTokenId && second === first) {
    throw rowError(origin, 'the sequence begins with two BOS tokens', {
      expected: `one token ${first}`,
      remedy: 'Remove it from the text of the row: the tokenizer or its chat template writes it',
    });
  }
  if (sequences.every(({ length }) => length > 0)) return;
  throw rowError(origin, 'the prompt or a response has no tokens', {
    expected: 'at least one token each',
    got: `${sequences.map(({ length }) => length).join(', ')} tokens`,
    remedy: 'Leave the row out',
  });
}

function checkVocabulary(origin: RowOrigin, sequences: readonly Int32Array[], vocabularySize: number): void {
  for (const ids of sequences) {
    const outside = ids.find((id) => id < 0 || id >= vocabularySize);
    if (outside === undefined) continue;
    throw rowError(origin, 'a token id is outside the vocabulary', {
      expected: `ids from 0 to ${vocabularySize - 1}`,
      got: String(outside),
      remedy: 'Tokenise the data with this model’s tokenizer',
    });
  }
}
