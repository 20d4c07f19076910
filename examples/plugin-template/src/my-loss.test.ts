import { describe, it } from 'node:test';
import { describeLoss } from '@metaapo/testing';
import { myLoss } from './my-loss.js';

describeLoss({ describe, it }, () => myLoss({ beta: 0.1 }));
