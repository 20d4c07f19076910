import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** What is known of settings that a server fills in where a request leaves them out. */
export interface ForeignSettings {
  /** Whether a server has taken a request that decides them all. */
  readonly areTaken: boolean;
  /** Whether requests leave them out, since a server refuses them. */
  readonly areLeftOut: boolean;
  take(): void;
  /** Leaves them out from now on, and says what may hold instead. */
  leaveOut(): Promise<void>;
  /** Hears what a reply tells of a server that ignores them, and says so once. */
  hear(reply: unknown): void;
}

/**
 * Watches over settings that servers fill in.
 * @param directory that of the policy, whose `generation_config.json` a server may read
 */
export function createForeignSettings(
  service: string,
  directory: string | undefined,
  report: (line: string) => void,
): ForeignSettings {
  const said = new Set<string>();
  const sayOnce = (line: string): void => {
    if (!said.has(line)) report(`${service}: ${line}`);
    said.add(line);
  };
  const foreign = {
    areTaken: false,
    areLeftOut: false,
    take() {
      foreign.areTaken = true;
    },
    async leaveOut() {
      foreign.areLeftOut = true;
      const settings = await settingsIn(directory);
      sayOnce(
        'the server refuses entries for top_k, min_p and penalties, and is asked without them: its own settings hold' +
          (settings === undefined
            ? ''
            : `. The policy's generation_config.json says ${settings}: where the server reads it, responses are not ` +
              'drawn from the policy as it is. Take these out of it'),
      );
    },
    hear(reply: unknown) {
      if (fingerprintSchema.safeParse(reply).success) sayOnce(OLLAMA);
    },
  };
  return foreign;
}

const fingerprintSchema = z.object({ system_fingerprint: z.literal('fp_ollama') });
const OLLAMA =
  'Ollama takes no top_k, min_p or repeat_penalty from a request of this protocol: those of the Modelfile hold, which ' +
  'cut off and penalise by default. Put PARAMETER top_k 0, min_p 0 and repeat_penalty 1 into it';

/** Entries of `generation_config.json` that change what is drawn and that no recipe decides, with values that do not. */
const NEUTRAL_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  top_k: [0, -1],
  min_p: [0],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  repetition_penalty: [1],
  no_repeat_ngram_size: [0],
};

async function settingsIn(directory: string | undefined): Promise<string | undefined> {
  if (directory === undefined) return undefined;
  try {
    const given: unknown = JSON.parse(await readFile(join(directory, 'generation_config.json'), 'utf8'));
    const found = Object.entries(given as object).filter(
      ([name, value]) =>
        Object.hasOwn(NEUTRAL_VALUES, name) && value !== null && !NEUTRAL_VALUES[name]!.includes(value),
    );
    return found.length === 0 ? undefined : found.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ');
  } catch {
    // Without such a file nothing is filled in from it.
    return undefined;
  }
}
