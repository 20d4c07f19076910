import type { GroupReading, PromptGroup, TrainingPasses } from '@metaapo/core/contracts';
import { tokenLogprob } from './kit-rows.js';

/** A place in a response: a token after a prompt. */
export interface TokenPlace {
  readonly prompt: Int32Array;
  readonly response: Int32Array;
  readonly token: number;
}

/** How the kit's passes compute. */
export interface KitPassOptions {
  /** Groups of a micro-batch; default all at once. */
  readonly groupsAtOnce?: number | undefined;
  /** A token whose log-probability is moved. */
  readonly moved?: (TokenPlace & { readonly by: number }) | undefined;
}

/** Passes over a policy that is a table of log-probabilities, and all that is asked of them. */
export interface KitPasses {
  readonly passes: TrainingPasses;
  /** d loss / d log p of every response token that was trained, by its place. */
  readonly gradients: Map<string, number>;
  /** Groups that were trained. */
  readonly trained: PromptGroup[];
}

/** Name of a token's place. */
export function placeName({ prompt, response, token }: TokenPlace): string {
  return `${prompt.join(' ')} | ${response.join(' ')} | ${token}`;
}

/** New passes that have been asked nothing. */
export function kitPasses({ groupsAtOnce = Number.POSITIVE_INFINITY, moved }: KitPassOptions = {}): KitPasses {
  const gradients = new Map<string, number>();
  const trained: PromptGroup[] = [];
  const at = moved && placeName(moved);
  const readingOf = (
    { prompt, responses }: PromptGroup,
    wishes: { tokenLogprobs?: unknown; entropies?: unknown },
  ): GroupReading => {
    const tokens = responses.map((response) =>
      Float32Array.from(
        response,
        (id, token) => tokenLogprob(id, token) + (at === placeName({ prompt, response, token }) ? moved!.by : 0),
      ),
    );
    return {
      values: Float32Array.from(tokens, (values) => values.reduce((sum, value) => sum + value, 0)),
      ...(wishes.tokenLogprobs === true && { tokenLogprobs: tokens }),
      ...(wishes.entropies === true && { sumEntropies: Float32Array.from(responses, ({ length }) => 1.5 * length) }),
    };
  };
  const add = ({ prompt, responses }: PromptGroup, gradientOf: (response: number, token: number) => number): void => {
    for (const [index, response] of responses.entries()) {
      for (const token of response.keys()) {
        const name = placeName({ prompt, response, token });
        gradients.set(name, (gradients.get(name) ?? 0) + gradientOf(index, token));
      }
    }
  };
  const passes: TrainingPasses = {
    async read(groups, { progress, signal, ...wishes } = {}) {
      signal?.throwIfAborted();
      progress?.(groups.length, groups.length);
      return groups.map((group) => readingOf(group, wishes));
    },
    async forwardBackward(groups, gradientOf, { couplesGroups = false, ...wishes } = {}) {
      const size = couplesGroups ? groups.length : groupsAtOnce;
      for (let start = 0; start < groups.length; start += size) {
        const piece = groups.slice(start, start + size);
        const range = { start, end: start + piece.length };
        const given = await gradientOf(
          piece.map((group) => readingOf(group, wishes)),
          range,
        );
        trained.push(...piece);
        for (const [index, group] of piece.entries()) {
          add(group, (response, token) =>
            'perResponse' in given ? given.perResponse[index]![response]! : given.perToken[index]![response]![token]!,
          );
        }
      }
    },
  };
  return { passes, gradients, trained };
}
