import * as tf from '@tensorflow/tfjs';
import { describeGoldenLosses } from './golden-cases.js';

describeGoldenLosses('cpu', async () => {
  await tf.setBackend('cpu');
  return undefined;
});
