/** What the kit needs of a test runner; `{ describe, it }` of vitest, jest, mocha and node:test all fit. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** Makes a new part for each check. */
export type CreatePart<Part> = () => Part | Promise<Part>;

/** What every part's flags may say. */
export interface PartFlags {
  /** Title of the group of tests; by default the kind of the part. */
  readonly name?: string;
  /** False where the options can be written to after the part is made; default true. */
  readonly hasFrozenOptions?: boolean;
}

/** A check of a part: resolves when the part passes, throws a `ConformanceError` when it does not. */
export type Check<Part, Flags> = (part: Part, flags: Flags) => Promise<void>;

/** The checks of a kind of part by title; `undefined` where the flags take a check out. */
export type Checks<Part, Flags> = Readonly<Record<string, Check<Part, Flags> | undefined>>;

/** Declares one test a check, each with a part of its own that is disposed afterwards. */
export function declareChecks<Part extends object, Flags extends PartFlags>(
  { describe, it }: TestRunner,
  kind: string,
  create: CreatePart<Part>,
  flags: Flags,
  checks: Checks<Part, Flags>,
): void {
  describe(flags.name ?? kind, () => {
    for (const [title, check] of Object.entries(checks)) {
      if (check === undefined) continue;
      it(title, async () => {
        const part = await create();
        try {
          await check(part, flags);
        } finally {
          await dispose(part);
        }
      });
    }
  });
}

async function dispose(part: { dispose?: () => unknown }): Promise<void> {
  await part.dispose?.();
}
