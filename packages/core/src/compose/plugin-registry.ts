import {
  type AnyPart,
  checkPlugin,
  MetaapoError,
  type Plugin,
  partName,
  type Slot,
  slotName,
  suggestion,
} from '../contracts/index.js';

/** A part with the plugin it came from. */
export interface RegisteredPart {
  readonly plugin: string;
  readonly part: AnyPart;
}

/** The parts of several plugins, by slot and id. */
export interface PluginRegistry {
  readonly parts: readonly RegisteredPart[];
  /** @throws MetaapoError with code `plugin` for an unknown id, with the known ones and the nearest spelling. */
  find(slot: Slot<unknown>, id: string): AnyPart;
}

/**
 * Collects the parts of plugins.
 * @throws MetaapoError with code `plugin` when two plugins claim one id, or a value is no plugin of this contract
 */
export function registerPlugins(plugins: readonly Plugin[]): PluginRegistry {
  const bySlot = new Map<symbol, Map<string, RegisteredPart>>();
  for (const plugin of plugins) {
    checkPlugin(plugin);
    for (const part of plugin.parts) add(bySlot, { plugin: plugin.name, part });
  }
  return {
    parts: [...bySlot.values()].flatMap((ids) => [...ids.values()]),
    find(slot, id) {
      const known = bySlot.get(slot);
      const found = known?.get(id);
      if (found !== undefined) return found.part;
      throw new MetaapoError('plugin', `there is no ${slotName(slot)} with this id`, {
        where: partName(slot, id),
        remedy: `${suggestion(id, [...(known?.keys() ?? [])]).replace(/[^?]$/, '$&.')} A part of another package needs that package as a plugin`,
      });
    },
  };
}

function add(bySlot: Map<symbol, Map<string, RegisteredPart>>, registered: RegisteredPart): void {
  const { part, plugin } = registered;
  const ids = bySlot.get(part.slot) ?? new Map<string, RegisteredPart>();
  bySlot.set(part.slot, ids);
  const other = ids.get(part.id);
  if (other !== undefined) {
    throw new MetaapoError('plugin', `two plugins claim this id`, {
      where: `${slotName(part.slot)} ${part.id}`,
      got: `${other.plugin} and ${plugin}`,
      remedy: 'Leave one of them out of plugins',
    });
  }
  ids.set(part.id, registered);
}
