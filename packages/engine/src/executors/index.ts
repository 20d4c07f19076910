export { chooseExecutor, type ExecutorChoice, openSession } from './open-session.js';
export type { Executor, FedTensor, ProgramSet, Session } from './session.js';
