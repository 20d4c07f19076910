import { TemplateRefusal } from './template-errors.js';
import type { Arguments, Value } from './values.js';

/** A filter or a test by its name, for filters that take the name of another. */
export type CallByName = (name: string, value: Value, given: Arguments) => Value;

/** What filters and tests may use beside their arguments. */
export interface RenderTools {
  readonly callFilter: CallByName;
  readonly callTest: CallByName;
  readonly isFilter: (name: string) => boolean;
  readonly isTest: (name: string) => boolean;
  readonly budget: Budget;
}

/** Most steps of one rendering. */
const MOST_STEPS = 2_000_000;
/** Deepest nesting of macros. */
const DEEPEST = 200;
/** Most characters that one rendering writes. */
const MOST_CHARACTERS = 1 << 26;

/** What a rendering may still do, so that a template from elsewhere ends. */
export class Budget {
  #steps = 0;
  #characters = 0;
  #depth = 0;

  /**
   * What a macro gives, called in others no deeper than Python calls.
   * @throws TemplateRefusal beyond that depth
   */
  nested<Result>(call: () => Result): Result {
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw new TemplateRefusal('it calls itself too deeply');
    const result = call();
    this.#depth -= 1;
    return result;
  }

  /** @throws TemplateRefusal after too many steps */
  step(): void {
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) throw new TemplateRefusal(`it takes more than ${MOST_STEPS} steps`);
  }

  /** @throws TemplateRefusal after too many characters */
  write(text: string): void {
    this.#characters += text.length;
    if (this.#characters > MOST_CHARACTERS) {
      throw new TemplateRefusal(`it writes more than ${MOST_CHARACTERS} characters`);
    }
  }
}
