import { describeGoldenModels } from './golden-models.js';

describeGoldenModels('wasm', 'eager');
