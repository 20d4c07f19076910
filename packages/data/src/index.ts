export type { DataRow } from './rows/data-row.js';
export { parsePreference, readPreferences } from './rows/read-preferences.js';
export { type PromptRow, type ResponseRow, readPrompts, readResponses } from './rows/read-prompts.js';
export { type ReadOptions, readRows } from './rows/read-rows.js';
export type { DropReason, LengthLimits } from './tokenization/length-limits.js';
export type { TokenizationReport, TokenStatistics } from './tokenization/tokenization-report.js';
export { type TokenizationOptions, type TokenizedRow, tokenizePreference } from './tokenization/tokenize-preference.js';
export { type TokenizedPreferences, tokenizePreferences } from './tokenization/tokenize-preferences.js';
