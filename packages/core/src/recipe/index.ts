export { nearest, suggestion } from './nearest.js';
export { parseTrainingRecipe, parseWith } from './parse-recipe.js';
export { commonSections, type TrainingRecipe, trainingRecipe } from './training-recipe.js';
