import { CONTRACT, definePart, definePlugin, OBJECTIVE } from '@metaapo/core/contracts';
import { groupRelative, groupRelativeOptions } from './group-relative.js';

/** One objective: `objective: { id: group-relative }` in a recipe of `metaapo run` that names this package in `plugins`. */
export default definePlugin({
  name: 'metaapo-objective-group-relative',
  contract: CONTRACT,
  parts: [
    definePart({
      slot: OBJECTIVE,
      id: 'group-relative',
      summary:
        'Raises responses that were rewarded above the others to their prompt, token by token, within a clipped ratio.',
      options: groupRelativeOptions,
      create: (options) => groupRelative(options),
    }),
  ],
});
