import { type DimensionBindings, evaluateDimension } from '../../program/index.js';

/** What XLA has compiled in this process. */
export interface Compilations {
  /** Computations, each for other sizes: what a session feeds to the same computation again is not compiled again. */
  readonly count: number;
  /** Of the runs that they were compiled in. */
  readonly seconds: number;
}

const total = { count: 0, seconds: 0 };

/** What XLA has compiled in this process so far, counted by the computations and the sizes that it was given. */
export function xlaCompilations(): Compilations {
  return { ...total };
}

/** A call of a function: with XLA a computation, which is started as a whole. */
export interface Launch {
  readonly computation: string;
  /** What its sizes depend on. */
  readonly symbols: readonly string[];
  /** Operations inside that compute. */
  readonly operations: number;
}

/** The computations that a session has had compiled. */
export interface CompilationCounter {
  /** Runs a program, and counts those of its computations that were not run with these sizes before. */
  count<Result>(launches: readonly Launch[], sizes: DimensionBindings, run: () => Result): Result;
}

/** Nothing compiled yet. */
export function createCompilationCounter(): CompilationCounter {
  const compiled = new Set<string>();
  return {
    count(launches, sizes, run) {
      const keys = new Set(launches.map((launch) => keyOf(launch, sizes)));
      const fresh = [...keys].filter((key) => !compiled.has(key));
      if (fresh.length === 0) return run();
      const started = performance.now();
      const result = run();
      for (const key of fresh) compiled.add(key);
      total.count += fresh.length;
      total.seconds += (performance.now() - started) / 1000;
      return result;
    },
  };
}

const keyOf = ({ computation, symbols }: Launch, sizes: DimensionBindings): string =>
  `${computation} ${symbols.map((symbol) => evaluateDimension(symbol, sizes))}`;
