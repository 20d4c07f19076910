export {
  type ByStage,
  type IterationSummary,
  iterationSummary,
  type KlEstimate,
  type OnlinePairText,
  type PairCounts,
  type RowFate,
  type RowSample,
  STAGES,
} from './iteration-summary.js';
export { type RunEntry, type RunEntryOf, type RunKey, runEntry } from './run-entry.js';
export { type EntryHeader, entriesOfKind, openRunJournal, type RunJournal, readRunJournal } from './run-journal.js';
