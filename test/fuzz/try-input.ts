import { isMetaapoError, plainText } from '@metaapo/core/contracts';
import fc from 'fast-check';
import type { FuzzTarget } from './fuzz-target.js';

/** Characters of a message that a person still reads. */
const MOST_CHARACTERS = 4000;

/** What became of an input, and what is wrong with that. */
export interface Trial {
  readonly outcome: 'accepted' | 'refused' | 'fault';
  /** Of a fault: the stack, or what is wrong with a message. */
  readonly fault?: string;
}

/** Runs a parser with one input: it takes it, or refuses it in words. */
export async function tryInput({ parse }: FuzzTarget, input: unknown): Promise<Trial> {
  try {
    await parse(input as never);
    return { outcome: 'accepted' };
  } catch (error) {
    const fault = faultOf(error);
    return fault === undefined ? { outcome: 'refused' } : { outcome: 'fault', fault };
  }
}

function faultOf(error: unknown): string | undefined {
  if (!isMetaapoError(error)) return error instanceof Error ? `${error.stack}` : `thrown: ${String(error)}`;
  const { message, code } = error;
  if (code === 'internal') return `a fault of ours: ${error.stack}`;
  if (plainText(message) !== message) return `control characters in a message: ${JSON.stringify(message)}`;
  return message.length > MOST_CHARACTERS ? `a message of ${message.length} characters` : undefined;
}

/** The seed of an input: near numbers give inputs that have nothing to do with one another. */
export function seedOf(seed: number, index: number): number {
  let mixed = (Math.imul(seed, 0x9e3779b1) ^ index) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) | 0;
}

/** The input of a target by its seed and its number. */
export function inputOf({ inputs }: FuzzTarget, seed: number, index: number): unknown {
  return fc.sample(inputs, { seed: seedOf(seed, index), numRuns: 1 })[0];
}

/** The smallest input, found within a few seconds, with which a target still has a fault. */
export async function smallestInput(target: FuzzTarget, seed: number, index: number): Promise<unknown> {
  const property = fc.asyncProperty(target.inputs, async (input) => {
    const { fault } = await tryInput(target, input);
    if (fault !== undefined) throw new Error(fault);
  });
  const { counterexample } = await fc.check(property, {
    seed: seedOf(seed, index),
    numRuns: 1,
    interruptAfterTimeLimit: 10_000,
    markInterruptAsFailure: true,
  });
  return counterexample?.[0] ?? inputOf(target, seed, index);
}
