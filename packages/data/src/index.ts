export { type DataFileOptions, resolveDataFiles } from './files/resolve-data-files.js';
export { type BadRowListener, type BadRows, listBadRows, orBadRow } from './rows/bad-rows.js';
export type { DataFile, DataFileRows } from './rows/data-file.js';
export type { DataRow } from './rows/data-row.js';
export { type DemonstrationReadOptions, parseDemonstration, readDemonstrations } from './rows/read-demonstrations.js';
export { parsePreference, readPreferences } from './rows/read-preferences.js';
export { type PromptRow, type ResponseRow, readPrompts, readResponses } from './rows/read-prompts.js';
export { type FormOptions, type ReadOptions, readRows } from './rows/read-rows.js';
export { parseUnpaired, readUnpaired, type UnpairedReadOptions } from './rows/read-unpaired.js';
export type { DemonstrationReport } from './tokenization/demonstration-report.js';
export type { DropReason, LengthLimits } from './tokenization/length-limits.js';
export type { SequenceReport, TokenStatistics } from './tokenization/sequence-tally.js';
export { cachedTokenization, type TokenizationKey } from './tokenization/tokenization-cache.js';
export type { TokenizationReport } from './tokenization/tokenization-report.js';
export {
  type DemonstrationOptions,
  type TokenizedDemonstrationRow,
  tokenizeDemonstration,
} from './tokenization/tokenize-demonstration.js';
export { type TokenizedDemonstrations, tokenizeDemonstrations } from './tokenization/tokenize-demonstrations.js';
export { type TokenizationOptions, type TokenizedRow, tokenizePreference } from './tokenization/tokenize-preference.js';
export { type TokenizedPreferences, tokenizePreferences } from './tokenization/tokenize-preferences.js';
export { type TokenizedResponse, tokenizePrompt, tokenizeResponse } from './tokenization/tokenize-prompt.js';
export {
  type TokenizedUnpairedRows,
  tokenizeUnpaired,
  type UnpairedReport,
} from './tokenization/tokenize-unpaired.js';
