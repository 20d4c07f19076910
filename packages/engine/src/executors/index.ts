export { collectGarbage } from './collect-garbage.js';
export { type Compilations, xlaCompilations } from './compiled/compilations.js';
export { countLaunches } from './compiled/count-launches.js';
export { computedBy } from './computed-by.js';
export { createProfile, type PrimitiveCost, type Profile } from './eager/profile.js';
export { canWriteRows, chooseExecutor, type ExecutorChoice, kernelsOf, openSession } from './open-session.js';
export { type ProgramMemory, programMemory } from './program-memory.js';
export type { Executor, FedTensor, ProgramSet, Session } from './session.js';
export { statesOf } from './session.js';
