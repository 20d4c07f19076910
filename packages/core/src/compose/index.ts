export {
  type ComposeOptions,
  checkParts,
  composeRun,
  composeTrackers,
  type PartRecipe,
  type PartsRecipe,
  type RunParts,
} from './compose-run.js';
export { type PluginRegistry, type RegisteredPart, registerPlugins } from './plugin-registry.js';
