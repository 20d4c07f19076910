export {
  type ComposedParts,
  type ComposedRun,
  type ComposeOptions,
  type Composition,
  composeRecipe,
  composeRun,
} from './compose-run.js';
export { type PluginRegistry, type RegisteredPart, registerPlugins } from './plugin-registry.js';
export { type PartKey, type PartRecipe, type PartsRecipe, RECIPE_SLOTS, type RunParts } from './recipe-slots.js';
