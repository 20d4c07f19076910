// The quickstart's reward, with a line in the file $CHAOS_CALLS for every response that is scored in training.
import { appendFileSync } from 'node:fs';
import rewards from '../examples/quickstart/reward.mjs';

export default function counted(requests) {
  appendFileSync(process.env.CHAOS_CALLS, requests.map(() => 'call\n').join(''));
  return rewards(requests);
}
