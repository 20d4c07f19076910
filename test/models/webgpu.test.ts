import { describeGoldenModels } from './golden-models.js';

describeGoldenModels('webgpu', 'eager');
