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
  /** Says something of a server, once. */
  say(line: string): void;
  /** Says once that a server ignores an entry of requests, and what holds instead. */
  ignore(name: string): void;
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
    say: sayOnce,
    ignore(name: string) {
      sayOnce(IGNORED[name] ?? `the server ignores ${name}: its own setting holds, and may change what is drawn`);
    },
    hear(reply: unknown) {
      if (fingerprintSchema.safeParse(reply).success) sayOnce(OLLAMA);
    },
  };
  return foreign;
}

/** What follows from an entry that is ignored, where no setting of the server takes its place. */
const IGNORED: Readonly<Record<string, string>> = {
  sampling:
    'the server gives each prompt the same response whatever the seed, and no log-probabilities that tell whether the ' +
    'model is so sure of it: see whether it samples',
  seed: 'the server ignores seed, or does not compute the same twice: asked again, it gives other responses',
  stop: 'the server ignores stop: responses are cut at the stop texts here, and what it writes behind them is paid for',
};

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
