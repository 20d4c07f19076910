export { type ObjectiveRecipe, type ParsedObjective, parseObjectiveRecipe } from './objective-recipe.js';
export { parseRewardRecipe, parseTrainingRecipe, parseWith } from './parse-recipe.js';
export { isRunRecipe, type ParsedRun, parseRunRecipe, type RunRecipe, runRecipe } from './run-recipe.js';
export { parseSftRecipe, type SftRecipe, sftRecipe } from './sft-recipe.js';
export { commonSections, type TrainingRecipe, trainingRecipe } from './training-recipe.js';
