import * as tf from '@tensorflow/tfjs';
import { describeExtremeLosses } from './extreme-cases.js';
import { describeGoldenLosses } from './golden-cases.js';

const prepare = async (): Promise<undefined> => {
  await tf.setBackend('cpu');
};

describeGoldenLosses('cpu', prepare);
describeExtremeLosses('cpu', prepare);
