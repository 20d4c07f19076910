import type { Outcome } from './outcome.js';

/** What a method may look at, once MetaAPO has run with the same seed. */
export interface MethodInput {
  /** File with the rows that MetaAPO selected. */
  readonly sameRows: string;
  /** File with as many rows of each iteration as MetaAPO selected, drawn at random. */
  readonly randomRows: string;
  /** The same of MetaAPO with unselected rows kept. */
  readonly randomRowsOfKept: string;
}

/** The method that the others are compared with; it runs first. */
export const METAAPO = 'MetaAPO';

/** The method with unselected rows trained on their offline pairs. */
export const KEPT = 'MetaAPO, unselected kept';

/** The same with as many rows drawn at random. */
export const RANDOM_KEPT = 'random rows, unselected kept';

/** Outcomes of the methods, one a seed. */
export type Outcomes = ReadonlyMap<string, readonly Outcome[]>;

const listed = (path: string) => ({ id: 'listed', path });
const constant = (weight: number) => ({ id: 'constant', weight });

/** Methods by name in the order in which they run: the keys of the recipe that differ from MetaAPO's. */
export const METHODS: Readonly<Record<string, (input: MethodInput) => Readonly<Record<string, unknown>>>> = {
  [METAAPO]: () => ({}),
  [KEPT]: () => ({ unselected: 'keep' }),
  'online DPO': () => ({ selection: { id: 'all' }, metaLearner: constant(0) }),
  'online DPO, same share': ({ randomRows }) => ({ selection: listed(randomRows), metaLearner: constant(0) }),
  'random rows, same share': ({ randomRows }) => ({ selection: listed(randomRows) }),
  [RANDOM_KEPT]: ({ randomRowsOfKept }) => ({
    selection: listed(randomRowsOfKept),
    unselected: 'keep',
  }),
  "MetaAPO's rows, w = 0.5": ({ sameRows }) => ({ selection: listed(sameRows), metaLearner: constant(0.5) }),
  'no meta-learner': () => ({ metaLearner: constant(0.5) }),
  'offline DPO': () => ({ selection: { id: 'none' }, unselected: 'keep' }),
};
