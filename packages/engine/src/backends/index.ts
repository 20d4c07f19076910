export { BACKEND_IDS, type Backend, type BackendId, type NativeBackendId } from './backend.js';
export type { CpuFeature, CpuInformation } from './cpu-information.js';
export type { GpuInformation } from './gpu-information.js';
export { type BackendInspection, type InspectOptions, inspectSystem, type SystemInspection } from './inspect-system.js';
export type { BackendMeasurement } from './measure-in-child.js';
export { type InstallOptions, type InstallResult, installBackend } from './provision/install-backend.js';
export type { KnownWheel, KnownWheels } from './provision/known-wheels.js';
export type { LibrarySource } from './provision/library-cache.js';
export { type BackendChoice, currentBackend, selectBackend } from './select-backend.js';
