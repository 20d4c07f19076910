import { prepareBackend } from '../support/backends.js';
import { describeGoldenLosses } from './golden-cases.js';

describeGoldenLosses('webgpu', () => prepareBackend('webgpu'));
