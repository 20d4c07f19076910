import { describeGoldenModels } from './golden-models.js';

describeGoldenModels('tensorflow', 'eager');
