import { MetaapoError } from '@metaapo/core/contracts';

/** What a run has read of a scorer's answers so far. */
export interface ReadableGuard {
  /** Counts an answer that could be read. */
  read(): void;
  /**
   * Counts an answer that could not be read.
   * @param got the answer, for the message
   * @throws MetaapoError with code `network` where so many in a row cannot be read that none will
   */
  unread(got: string): void;
}

/** Answers in a row that cannot be read: of a scorer that none was read of yet, and of one that was. */
const MOST_UNREAD = { atFirst: 4, later: 64 } as const;

/**
 * Ends a run of which nothing can be read, with an example, instead of letting it go on to train on offline pairs alone.
 * @param remedy what can be done, for the message
 */
export function createReadableGuard(service: string, expected: string, remedy: string): ReadableGuard {
  let [inRow, hasRead] = [0, false];
  return {
    read() {
      [inRow, hasRead] = [0, true];
    },
    unread(got) {
      inRow++;
      if (inRow < (hasRead ? MOST_UNREAD.later : MOST_UNREAD.atFirst)) return;
      throw new MetaapoError('network', `${inRow} answers in a row hold no reward that can be read`, {
        where: service,
        expected,
        got,
        remedy,
      });
    },
  };
}
