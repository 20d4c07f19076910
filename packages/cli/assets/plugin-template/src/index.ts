import { CONTRACT, definePart, definePlugin, LOSS } from '@metaapo/core/contracts';
import { myLoss, schema } from './my-loss.js';

export { type MyLossOptions, myLoss } from './my-loss.js';

export default definePlugin({
  name: 'my-loss',
  contract: CONTRACT,
  parts: [definePart({ slot: LOSS, id: 'my-loss', summary: 'DPO with an offset.', options: schema, create: myLoss })],
});
