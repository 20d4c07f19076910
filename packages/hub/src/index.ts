export { downloadSnapshot, fetchSnapshot, type Snapshot, type SnapshotRequest } from './download-snapshot.js';
export type { HubOptions } from './hub-settings.js';
export { matchesPattern } from './path-pattern.js';
export { isRepositoryName, type Repository } from './repository.js';
export { parseRepositoryReference, type RepositoryReference } from './repository-reference.js';
