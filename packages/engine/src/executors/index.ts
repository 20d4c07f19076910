export { openEagerSession } from './eager/session.js';
export type { FedTensor, ProgramSet, Session } from './session.js';
