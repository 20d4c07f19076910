import { prepareBackend } from '../support/backends.js';
import { describeExtremeLosses } from './extreme-cases.js';
import { describeGoldenLosses } from './golden-cases.js';

const prepare = () => prepareBackend('tensorflow');

describeGoldenLosses('tensorflow', prepare);
describeExtremeLosses('tensorflow', prepare);
